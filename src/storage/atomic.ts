import { constants } from "node:fs";
import { access, type FileHandle, open, readdir, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type BaretError, throwIfCancelled } from "../core/index.ts";
import { codeOf, isMissing, storageError } from "./failures.ts";
import { ownerLives, ownName } from "./owner.ts";
import { requireRegular } from "./regular.ts";

/** Makes a rename last through a power cut. Windows cannot open a folder, and does not need it. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

export interface WriteOptions {
  /** Permissions. Default: those of the file that is replaced, or what the process's umask leaves of rw-rw-rw-. */
  mode?: number;
  signal?: AbortSignal;
}

/** A file that is to take the place of `target` once it is complete. */
interface Successor {
  readonly file: FileHandle;
  readonly path: string;
  readonly target: string;
  readonly permissions: number | undefined;
}

/**
 * Where a path leads once all links are followed: also one that leads to a file that is not there yet. Throws the system's
 * error if not even the folder is there.
 */
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

/** Throws an Error if what is at a path must not be replaced: a folder, a pipe or device, a file that is read-only. */
async function requireReplaceable(target: string): Promise<number | undefined> {
  const old = await stat(target).catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (!old) return undefined;
  requireRegular(old);
  // The superuser may write everything, but whoever took away all permission to write has meant it.
  if ((old.mode & 0o222) === 0) throw new Error("the file is read-only");
  await access(target, constants.W_OK);
  return old.mode & 0o7777;
}

const MARK = ".baret";
const ENDING = ".tmp";

/** Folders in which this process has looked for what killed processes left. */
const tidied = new Set<string>();

/** Removes the unfinished files of processes that were killed, once for each folder. */
async function removeAbandoned(folder: string): Promise<void> {
  if (tidied.has(folder)) return;
  tidied.add(folder);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(".") || !name.includes(`${MARK}.`) || !name.endsWith(ENDING)) continue;
    const owned = await ownerLives(folder, name, ENDING);
    if (!owned) await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

async function openSuccessor(path: string, mode?: number): Promise<Successor> {
  const target = await endOfLinks(path).catch((error) => {
    throw codeOf(error) === "ENOENT" ? new Error("its folder does not exist", { cause: error }) : error;
  });
  const permissions = mode ?? (await requireReplaceable(target));
  const folder = dirname(target);
  await removeAbandoned(folder);
  // A few letters of the name: with all of them the temporary one might be too long.
  const temporary = join(folder, `${ownName(`.${basename(target).slice(0, 20)}${MARK}`)}${ENDING}`);
  return { file: await open(temporary, "wx", permissions), path: temporary, target, permissions };
}

const discard = ({ path }: Successor): Promise<void> => rm(path, { force: true }).catch(() => undefined);

const unwritable = (path: string, cause: unknown): BaretError => storageError("cannot be written", path, cause);

/** Throws StorageError if writeFileAtomic could not even begin: known before hours of work, not after them. */
export async function checkWritable(path: string): Promise<void> {
  try {
    const successor = await openSuccessor(path);
    await successor.file.close();
    await discard(successor);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/**
 * Writes a file so that its name holds the old content or the whole new one at every moment, also if the process is killed
 * or the power fails: to a neighbour first, then renamed. A link is followed, also one to a file that is not there yet.
 * Throws StorageError if the disk is full, read-only or closed to us, or if the path leads to a read-only file or to
 * anything but a file; what was there is then as it was. Removes what killed processes left in the folder.
 *
 * (write-file-atomic does not stream, and takes a short write on a full disk for a complete one.)
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { mode, signal }: WriteOptions = {},
): Promise<void> {
  const successor = await openSuccessor(path, mode).catch((cause) => {
    throw unwritable(path, cause);
  });
  const { file, target, permissions } = successor;
  try {
    try {
      const whole = typeof data === "string" || data instanceof Uint8Array;
      for await (const part of whole ? [data] : data) {
        throwIfCancelled(signal, `writing ${path}`);
        await file.writeFile(part);
      }
      if (permissions !== undefined) await file.chmod(permissions);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(successor.path, target);
    await syncFolder(dirname(target));
  } catch (cause) {
    await discard(successor);
    throw unwritable(path, cause);
  }
}
