import { access, readdir, realpath, stat } from "node:fs/promises";
import { extname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { CheckpointError } from "../../core/index.ts";
import type { ByteSource, Folder, FolderEntry } from "../../weights/index.ts";
import { hashFile } from "./hash.ts";
import { openRegular, requireRegular } from "./regular.ts";
import { isMissing, systemMessage } from "./systemErrors.ts";

/** Node reads at most 2 GiB − 1 bytes per call. */
const MAX_READ = 1 << 30;

/**
 * Opens a file or a folder on disk for `openCheckpoint`. Links are followed, because the Hugging Face cache consists of
 * links. Throws CheckpointError if it does not exist or cannot be read.
 */
export async function openLocal(path: string): Promise<ByteSource | Folder> {
  const real = await resolved(path, path);
  const found = await orUnreadable(path, stat(real));
  return found.isDirectory() ? new LocalFolder(path, real) : localFile(path, real);
}

/** Opens a regular file on disk. Throws CheckpointError if it does not exist or cannot be read. */
export async function openLocalFile(path: string): Promise<ByteSource> {
  return localFile(path, await resolved(path, path));
}

/** True if a path exists. A link to nothing does not. */
export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Waits for a file operation. Throws CheckpointError with the reason if it fails. name: the file in errors. */
async function orUnreadable<T>(name: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (cause) {
    throw new CheckpointError(systemMessage(cause), { where: name, cause });
  }
}

const resolved = (path: string, name: string): Promise<string> => orUnreadable(name, realpath(path));

/** Opens the file at `path`, which must have no links any more. */
async function localFile(name: string, path: string): Promise<ByteSource> {
  const found = await orUnreadable(
    name,
    stat(path).then((state) => {
      requireRegular(state);
      return state;
    }),
  );
  return {
    name,
    path,
    size: found.size,
    read: (offset, length) => readAt(name, path, offset, length),
    sha256: (work) => hashFile(path, work),
  };
}

async function readAt(name: string, path: string, offset: number, length: number): Promise<Uint8Array> {
  const { file } = await orUnreadable(name, openRegular(path));
  try {
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const portion = file.read(out, done, Math.min(MAX_READ, length - done), offset + done);
      const { bytesRead } = await orUnreadable(name, portion);
      if (bytesRead === 0) {
        throw new CheckpointError("the file ends too early", {
          where: name,
          found: `${(await file.stat()).size} bytes`,
          expected: `at least ${offset + length}`,
        });
      }
      done += bytesRead;
    }
    return out;
  } finally {
    await file.close();
  }
}

/** Weights are large, so a link may lead to them outside the model's folder. Other files must lie inside. */
const WEIGHTS = ".safetensors";

class LocalFolder implements Folder {
  readonly name: string;
  private readonly root: string;
  /** Links must lead into this folder: the folder itself, or the model's folder in the Hugging Face cache. */
  private readonly allowed: string;

  constructor(name: string, root: string) {
    this.name = name;
    this.root = root;
    const snapshot = root
      .split(sep)
      .findIndex((folder, i, all) => folder.startsWith("models--") && all[i + 1] === "snapshots");
    this.allowed =
      snapshot < 0
        ? root
        : root
            .split(sep)
            .slice(0, snapshot + 1)
            .join(sep);
  }

  async list(path = ""): Promise<readonly FolderEntry[]> {
    const folder = this.inside(path);
    const entries = await orUnreadable(
      join(this.name, path),
      readdir(folder, { withFileTypes: true }).catch((error) => {
        if (isMissing(error)) return [];
        throw error;
      }),
    );
    const kinds = entries.map(async (entry): Promise<FolderEntry> => {
      const linked = entry.isSymbolicLink() && (await stat(join(folder, entry.name)).catch(() => undefined));
      return { name: entry.name, kind: (linked || entry).isDirectory() ? "folder" : "file" };
    });
    return (await Promise.all(kinds)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async open(path: string): Promise<ByteSource> {
    const name = join(this.name, path);
    const real = await resolved(this.inside(path), name);
    const outside = !contains(this.allowed, real);
    if (outside && !(extname(path) === WEIGHTS && extname(real) === WEIGHTS)) {
      throw new CheckpointError("a link leads out of the model's folder to a file that holds no weights", {
        where: name,
        found: real,
        expected: `a file under ${this.allowed}, or weights that end in ${WEIGHTS}`,
        advice: "If the file belongs to the model, copy it into the model's folder.",
      });
    }
    return localFile(name, real);
  }

  private inside(path: string): string {
    const full = resolve(this.root, path);
    if (!contains(this.root, full)) throw new CheckpointError("a path leaves the model's folder", { where: path });
    return full;
  }
}

function contains(folder: string, path: string): boolean {
  const rest = relative(folder, path);
  return !isAbsolute(rest) && rest.split(sep)[0] !== "..";
}
