import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BaretError, StorageError, throwIfCancelled } from "../core/index.ts";

const causes: Record<string, string> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file system does not allow a file of this size",
  EISDIR: "it is a folder",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "its folder does not exist",
  ENOSPC: "the disk is full",
  ENOTDIR: "part of the path is not a folder",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
};

/** A failed file operation in words. Errors that already have theirs are passed on. */
export function storageError(problem: string, where: string, cause: unknown, advice?: string): BaretError {
  if (cause instanceof BaretError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  return new StorageError(`${problem}: ${(code && causes[code]) ?? message}`, { where, cause, advice });
}

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

async function openSuccessor(path: string, mode?: number): Promise<Successor> {
  const target = await realpath(path).catch(() => path);
  const old = await stat(target).catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (old?.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
  const permissions = mode ?? (old && old.mode & 0o7777);
  const temporary = join(dirname(target), `.${basename(target).slice(0, 100)}.${randomUUID()}.tmp`);
  return { file: await open(temporary, "wx", permissions), path: temporary, target, permissions };
}

const discard = ({ path }: Successor): Promise<void> => rm(path, { force: true }).catch(() => undefined);

const unwritable = (path: string, cause: unknown): BaretError => storageError("cannot be written", path, cause);

/** Throws StorageError where writeFileAtomic could not even begin: known before hours of work, not after them. */
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
 * Writes a file so that its name holds the old content or the whole new one at every moment, also when the process is
 * killed or the power fails: to a neighbour first, then renamed. A link is followed. Throws StorageError where the
 * disk is full, read-only or closed to us; the old file is then as it was.
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
