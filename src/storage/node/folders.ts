import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf, storageError } from "./systemErrors.ts";

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/**
 * Makes a folder, with the missing folders above it. Throws the system's error if it cannot.
 *
 * Node's recursive mkdir loops for ever if no folder can be made inside an existing one (/proc, a deleted folder), and
 * reports a read-only disk as a missing folder.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (await isFolder(path)) return;
    const above = dirname(path);
    if (codeOf(error) !== "ENOENT" || above === path) throw error;
    await makeFolder(above);
    await mkdir(path).catch(async (again) => {
      // Another process may have made it.
      if (await isFolder(path)) return;
      throw codeOf(again) === "ENOENT" ? new Error("no folder can be made there", { cause: again }) : again;
    });
  }
}

/** Makes a folder that the user named, with the missing folders above it. Throws StorageError if it cannot. */
export async function requireFolder(path: string): Promise<void> {
  await makeFolder(path).catch((cause) => {
    throw storageError("the folder cannot be made", path, cause);
  });
}
