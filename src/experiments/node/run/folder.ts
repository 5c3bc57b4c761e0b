import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { listed, type Picture, StorageError, shown, UsageError } from "../../../core/index.ts";
import { encodePng } from "../../../image/node/index.ts";
import { appendLine, isMissing, lock, makeFolder, storageError, writeFileAtomic } from "../../../storage/node/index.ts";
import { type Line, type LineOf, Results, readLog } from "../../run/log.ts";

const logName = "log.jsonl";

/** The folder of a run: its log and its pictures. Only one process has it open. */
export class RunFolder {
  readonly path: string;
  readonly results: Results;
  /** Lines of the log that could not be read. */
  readonly damaged: readonly number[];
  private readonly unlock: () => Promise<void>;
  /** Appends follow each other, so that lines do not mix. */
  private last: Promise<void> = Promise.resolve();

  private constructor(path: string, text: string, unlock: () => Promise<void>) {
    const { lines, damaged } = readLog(text);
    this.path = path;
    this.results = new Results(lines);
    this.damaged = damaged;
    this.unlock = unlock;
  }

  /**
   * Opens a folder, which may be new, and writes that a run starts or goes on. Throws UsageError if the folder holds a run of
   * another model, other cases or other networks, StorageError if it cannot be written or another process uses it.
   */
  static async open(path: string, start: Omit<LineOf<"start">, "type" | "time">): Promise<RunFolder> {
    const failed = (cause: unknown): never => {
      throw storageError("the folder of the run cannot be used", path, cause);
    };
    const unlock = await lock(join(path, ".lock")).catch(failed);
    if (!unlock) {
      throw new StorageError("another process is writing this run", {
        where: path,
        advice: "Wait until it is finished, or choose another folder.",
      });
    }
    try {
      const folder = new RunFolder(path, (await textOf(join(path, logName)).catch(failed)) ?? "", unlock);
      requireSame(path, folder.results.starts, start);
      await folder.append({ type: "start", time: new Date().toISOString(), ...start });
      return folder;
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** Adds a line to the log. Throws StorageError. */
  append(line: Line): Promise<void> {
    this.results.add(line);
    this.last = this.last.then(() => appendLine(join(this.path, logName), JSON.stringify(line)));
    return this.last;
  }

  /** Writes a picture as PNG. name: its path in the folder. Throws StorageError. */
  async write(name: string, picture: Picture): Promise<void> {
    await this.make(dirname(name));
    await writeFileAtomic(join(this.path, name), await encodePng(picture));
  }

  /** Makes a folder in the folder of the run, unless it is there. Throws StorageError. */
  async make(name: string): Promise<void> {
    const path = join(this.path, name);
    await makeFolder(path).catch((cause: unknown) => {
      throw storageError("the folder cannot be made", path, cause);
    });
  }

  close = async (): Promise<void> => {
    await this.last.catch(() => undefined);
    await this.unlock();
  };
}

/** Returns the text of a file, undefined if there is none. */
async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

type Facts = Readonly<Record<string, string>>;

/** Throws UsageError that lists the facts of an earlier run, and the networks of both, that differ. */
function requireSame(
  path: string,
  starts: readonly LineOf<"start">[],
  { identity, networks = {} }: Pick<LineOf<"start">, "identity" | "networks">,
): void {
  const last = starts.at(-1);
  if (last === undefined) return;
  const earlier: Facts = Object.assign({}, ...starts.map((start) => start.networks ?? {}));
  const problems = [
    ...differences(last.identity, identity, [...new Set([...Object.keys(last.identity), ...Object.keys(identity)])]),
    ...differences(
      earlier,
      networks,
      Object.keys(networks).filter((name) => name in earlier),
    ),
  ];
  if (problems.length === 0) return;
  throw new UsageError(`the folder holds another run\n${listed(problems)}`, {
    where: path,
    advice: "Choose another folder, or what that run had.",
  });
}

/** Returns a line for each of some facts that differ. */
const differences = (earlier: Facts, now: Facts, names: readonly string[]): string[] =>
  names
    .filter((name) => earlier[name] !== now[name])
    .map((name) => `${name}: found ${shown(earlier[name])} in the folder, now ${shown(now[name])}`);
