import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { formatBytes } from "../core/index.ts";

/** What a path that is no regular file leads to. */
export function kindOf(found: Stats): string {
  if (found.isDirectory()) return "a folder";
  if (found.isFIFO()) return "a pipe";
  if (found.isSocket()) return "a socket";
  return "a device";
}

/** Throws an Error that names what it is if a path leads to anything but a regular file. */
export function requireRegular(found: Stats): void {
  if (!found.isFile()) throw new Error(`it is ${kindOf(found)}, not a regular file`);
}

/**
 * Opens a regular file for reading. Its kind is looked at before it is opened, and again afterwards: a pipe would block the
 * reader for ever, a device may have no end. Throws the system's error, or an Error that names what it is instead.
 */
export async function openRegular(path: string): Promise<{ file: FileHandle; size: number }> {
  requireRegular(await stat(path));
  // Without O_NONBLOCK a pipe that took the file's place since would block. Windows has no such flag, and no such pipes.
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
 * Reads a whole regular file: as many bytes as it says that it has, so that one without an end (as in /proc) has none.
 * Throws as openRegular, and an Error if it has more than `most` bytes.
 */
export async function readRegular(path: string, most: number): Promise<Buffer<ArrayBuffer>> {
  const { file, size } = await openRegular(path);
  try {
    if (size > most) throw new Error(`it has ${formatBytes(size)}, at most ${formatBytes(most)} are read`);
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
