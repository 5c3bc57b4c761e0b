import { fork } from "node:child_process";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { CheckpointError, EngineError, few, sha256, UsageError, version } from "../../../core/index.ts";
import { programBeside } from "../../../runtime/node/index.ts";
import { cacheFolder, findModel, makeFolder, readRegular, writeFileAtomic } from "../../../storage/node/index.ts";
import { type ModelDescription, modelDescription } from "../../api/index.ts";
import type { RunnerModel } from "../runner/index.ts";
import type { DescribeAnswer, ModelFacts, NamedModel } from "./messages.ts";

/**
 * Describes models, each given by a name or a path. What their files say is kept in the cache folder as long as sizes and times
 * of the files stay the same. Throws CheckpointError if a model is missing or broken, UsageError if two have one name.
 */
export async function describeModels(names: readonly string[]): Promise<ModelDescription[]> {
  const named = await namedModels(names);
  const files = await Promise.all(named.map(keptIn));
  const known = await Promise.all(files.map(readKept));
  const missing = named.filter((_, k) => known[k] === undefined);
  const read = missing.length > 0 ? await readFacts(missing) : [];
  return Promise.all(
    named.map(async (_, k) => {
      const facts = known[k] ?? read[missing.indexOf(named[k])];
      if (!known[k]) await keep(files[k], facts);
      const { judge, ...description } = facts;
      return { ...description, hasJudge: await isOnDisk(judge) };
    }),
  );
}

/** Returns described models as runners load them. names: as `describeModels` got them. */
export async function runnerModels(
  names: readonly string[],
  descriptions: readonly ModelDescription[],
): Promise<RunnerModel[]> {
  const named = await namedModels(names);
  return named.map(({ name, load }, k) => ({
    name,
    load,
    sha256: descriptions[k].sha256,
    memory: descriptions[k].memory,
  }));
}

/** Finds the models. A model that is given by its path has its file's name for clients, who learn no path of this machine. */
async function namedModels(names: readonly string[]): Promise<NamedModel[]> {
  const named: NamedModel[] = [];
  for (const given of new Set(names)) {
    const { path, place } = await findModel(given);
    const isPath = place === "path";
    named.push(
      isPath
        ? { name: basename(path).replace(/\.safetensors$/, ""), load: resolve(path) }
        : { name: given, load: given },
    );
  }
  const twice = named.filter(({ name }, k) => named.some((other, other_k) => other_k < k && other.name === name));
  if (twice.length === 0) return named;
  throw new UsageError("two models have the same name", {
    where: "--model",
    found: few(twice.map(({ name }) => name)),
    advice: "Rename a folder or a file.",
  });
}

const isOnDisk = async (judge: string | undefined): Promise<boolean> => {
  if (judge === undefined) return false;
  return findModel(judge).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CheckpointError) return false;
      throw error;
    },
  );
};

/** Most levels of folders of a model. */
const DEPTH = 4;

/** Lists path, size and time of change of all files at a path, sorted. */
async function filesAt(path: string, depth = DEPTH): Promise<string[]> {
  const found = await stat(path);
  if (!found.isDirectory()) return [`${path} ${found.size} ${found.mtimeMs}`];
  if (depth === 0) return [];
  const names = (await readdir(path)).sort();
  return (await Promise.all(names.map((name) => filesAt(join(path, name), depth - 1)))).flat();
}

/** Returns the file that keeps the facts of a model as long as its files stay as they are. */
async function keptIn(model: NamedModel): Promise<string> {
  const { path, variant, prediction } = await findModel(model.load);
  const files = await filesAt(path);
  const of = sha256(JSON.stringify([version, model, variant, prediction, files]));
  return join(cacheFolder(), "descriptions", `${of.slice(0, 32)}.json`);
}

const factsSchema = modelDescription.omit({ hasJudge: true }).extend({ judge: z.string().optional() });
const MAX_BYTES = 1 << 24;

/** Reads kept facts. Returns undefined if there are none or if they are damaged. */
async function readKept(file: string): Promise<ModelFacts | undefined> {
  try {
    return factsSchema.parse(JSON.parse((await readRegular(file, MAX_BYTES)).toString()));
  } catch {
    return undefined;
  }
}

/** Keeps facts. If they cannot be kept, they are read again next time. */
async function keep(file: string, facts: ModelFacts): Promise<void> {
  try {
    await makeFolder(dirname(file));
    await writeFileAtomic(file, JSON.stringify(facts));
  } catch {
    // As said above.
  }
}

/** Reads the facts of models in a process of their own. */
async function readFacts(models: readonly NamedModel[]): Promise<readonly ModelFacts[]> {
  const child = fork(programBeside(import.meta.url, "child"), [], {
    cwd: dirname(fileURLToPath(import.meta.url)),
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: [],
  });
  let said = "";
  child.stderr?.on("data", (text: Buffer) => {
    said = (said + text.toString()).slice(-500);
  });
  try {
    child.send(models);
    const ended = once(child, "close").then(([code, signal]): never => {
      throw new EngineError("the process that describes models ended", {
        found: `${signal ?? code}; it said: ${said}`,
      });
    });
    const [answer] = (await Promise.race([once(child, "message"), ended])) as [DescribeAnswer];
    // It ends after its answer, which is no fault.
    ended.catch(() => undefined);
    if ("facts" in answer) return answer.facts;
    throw new CheckpointError(answer.error.message);
  } finally {
    child.kill();
  }
}
