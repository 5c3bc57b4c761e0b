import { statfs } from "node:fs/promises";
import { formatBytes, StorageError } from "../core/index.ts";

export const otherDisk = "Free some room, or set BARET_CACHE to a folder on another disk.";

/** Throws StorageError where the disk that holds `folder` has no room for `bytes` more. `what` takes them. */
export async function requireSpace(folder: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new StorageError(`too little room for ${what}`, {
    where: folder,
    found: `${formatBytes(bavail * bsize)} free`,
    expected: formatBytes(bytes),
    advice: otherDisk,
  });
}
