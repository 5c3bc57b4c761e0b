import { constants } from "node:fs";
import { access, type FileHandle, open, readdir, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type BaretError, throwIfCancelled } from "../../core/index.ts";
import { mayBeInUse, uniqueName } from "./owner.ts";
import { requireRegular } from "./regular.ts";
import { codeOf, isMissing, storageError } from "./systemErrors.ts";

/** Writes a folder to the disk, so that a rename survives a power cut. Windows cannot open folders and needs no sync. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

export interface WriteOptions {
  /** Permissions. Default: those of the replaced file, or rw-rw-rw- without the process's umask. */
  mode?: number;
  signal?: AbortSignal;
}

/** A temporary file that replaces `target` once it is complete. */
interface Replacement {
  readonly file: FileHandle;
  readonly path: string;
  readonly target: string;
  readonly permissions: number | undefined;
}

/** Follows all links of a path. The file need not exist. Throws the system's error if its folder does not exist. */
export async function endOfLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    const folder = await realpath(dirname(path));
    const link = await readlink(path).catch(() => undefined);
    return link === undefined ? join(folder, basename(path)) : endOfLinks(resolve(folder, link));
  }
}

/**
 * Throws an Error if a path must not be replaced, because it is a folder, a pipe, a device or a read-only file. Returns the
 * permissions of the file that is replaced.
 */
async function requireReplaceable(target: string): Promise<number | undefined> {
  const old = await stat(target).catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (!old) return undefined;
  requireRegular(old);
  // The superuser may write everything, but a file without any write permission is protected on purpose.
  if ((old.mode & 0o222) === 0) throw new Error("the file is read-only");
  await access(target, constants.W_OK);
  return old.mode & 0o7777;
}

const MARK = ".baret";
const ENDING = ".tmp";

/** Folders that this process has tidied. */
const tidied = new Set<string>();

/** Removes temporary files of processes that were killed, once per folder. */
async function removeAbandoned(folder: string): Promise<void> {
  if (tidied.has(folder)) return;
  tidied.add(folder);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(".") || !name.includes(`${MARK}.`) || !name.endsWith(ENDING)) continue;
    const used = await mayBeInUse(folder, name, ENDING);
    if (!used) await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

async function openReplacement(path: string, mode?: number): Promise<Replacement> {
  const target = await endOfLinks(path).catch((error) => {
    throw codeOf(error) === "ENOENT" ? new Error("its folder does not exist", { cause: error }) : error;
  });
  const permissions = mode ?? (await requireReplaceable(target));
  const folder = dirname(target);
  await removeAbandoned(folder);
  // Only the beginning of the name, because the whole temporary name might be too long.
  const temporary = join(folder, `${uniqueName(`.${basename(target).slice(0, 20)}${MARK}`)}${ENDING}`);
  return { file: await open(temporary, "wx", permissions), path: temporary, target, permissions };
}

const discard = ({ path }: Replacement): Promise<void> => rm(path, { force: true }).catch(() => undefined);

const unwritable = (path: string, cause: unknown): BaretError => storageError("cannot be written", path, cause);

/** Throws StorageError if writeFileAtomic would fail at once. Call it before hours of work, not after them. */
export async function checkWritable(path: string): Promise<void> {
  try {
    const replacement = await openReplacement(path);
    await replacement.file.close();
    await discard(replacement);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/**
 * Writes a file so that at every moment it has either the old content or the complete new one, also if the process is
 * killed or the power fails: a temporary file beside it is written first, then renamed. Links are followed, also to a file
 * that does not exist yet. Throws StorageError if the disk is full or cannot be written, or if the path leads to a
 * read-only file or to something else than a file; the old content is then kept. Also removes temporary files that killed
 * processes left in the folder.
 *
 * The package write-file-atomic does not stream, and takes a short write on a full disk for a complete one.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { mode, signal }: WriteOptions = {},
): Promise<void> {
  const replacement = await openReplacement(path, mode).catch((cause) => {
    throw unwritable(path, cause);
  });
  const { file, target, permissions } = replacement;
  try {
    try {
      const isWhole = typeof data === "string" || data instanceof Uint8Array;
      for await (const chunk of isWhole ? [data] : data) {
        throwIfCancelled(signal, `writing ${path}`);
        await file.writeFile(chunk);
      }
      if (permissions !== undefined) await file.chmod(permissions);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(replacement.path, target);
    await syncFolder(dirname(target));
  } catch (cause) {
    await discard(replacement);
    throw unwritable(path, cause);
  }
}
