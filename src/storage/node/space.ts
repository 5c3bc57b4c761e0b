import { statfs } from "node:fs/promises";
import { formatBytes, StorageError } from "../../core/index.ts";

export const otherDisk = "Free some disk space, or set BARET_CACHE to a folder on another disk.";

/** Throws StorageError if the disk of `folder` has less than `bytes` free. what: the data that needs them, for the message. */
export async function requireSpace(folder: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new StorageError(`too little disk space for ${what}`, {
    where: folder,
    found: `${formatBytes(bavail * bsize)} free`,
    expected: formatBytes(bytes),
    advice: otherDisk,
  });
}
