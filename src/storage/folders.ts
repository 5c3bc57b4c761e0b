import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf, storageError } from "./failures.ts";

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/**
 * Makes a folder, and the folders above it that are missing. Throws the system's error if it cannot.
 *
 * Node's own recursive mkdir tries for ever where a folder exists that takes no new ones (/proc, a deleted folder), and
 * calls a read-only disk a missing folder.
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
      // Another process may have been faster.
      if (await isFolder(path)) return;
      throw codeOf(again) === "ENOENT" ? new Error("no folder can be made there", { cause: again }) : again;
    });
  }
}

/** Makes a folder that the user has named, and those above it that are missing. Throws StorageError if it cannot. */
export async function requireFolder(path: string): Promise<void> {
  await makeFolder(path).catch((cause) => {
    throw storageError("the folder cannot be made", path, cause);
  });
}
