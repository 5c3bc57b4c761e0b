import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { formatBytes } from "../../core/index.ts";

/** Returns the kind of something that is no regular file, for messages. */
export function kindOf(found: Stats): string {
  if (found.isDirectory()) return "a folder";
  if (found.isFIFO()) return "a pipe";
  if (found.isSocket()) return "a socket";
  return "a device";
}

/** Throws an Error that names its kind if something is no regular file. */
export function requireRegular(found: Stats): void {
  if (!found.isFile()) throw new Error(`it is ${kindOf(found)}, not a regular file`);
}

/**
 * Opens a regular file for reading. Its kind is checked before and after it is opened, because a pipe would block for ever
 * and a device may have no end. Throws the system's error, or an Error that names the kind if it is no regular file.
 */
export async function openRegular(path: string): Promise<{ file: FileHandle; size: number }> {
  requireRegular(await stat(path));
  // If a pipe has taken the file's place meanwhile, O_NONBLOCK keeps it from blocking. Windows has neither.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = await file.stat();
    requireRegular(found);
    return { file, size: found.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Reads a regular file: as many bytes as its size says, so that an endless file (as in /proc) gives none. Throws as
 * openRegular does, and an Error if the file has more than `most` bytes.
 */
export async function readRegular(path: string, most: number): Promise<Buffer<ArrayBuffer>> {
  const { file, size } = await openRegular(path);
  try {
    if (size > most) throw new Error(`it has ${formatBytes(size)}, and at most ${formatBytes(most)} are read`);
    const bytes = Buffer.alloc(size);
    let done = 0;
    while (done < size) {
      const { bytesRead } = await file.read(bytes, done, size - done, done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    await file.close();
  }
}
