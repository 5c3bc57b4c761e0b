import { join } from "node:path";
import { cacheFolder, makeFolder, storageError, uniqueName } from "../../../storage/node/index.ts";
import { removeAbandoned } from "../abandoned.ts";

const PREFIX = "job";

/**
 * Returns the folder in which jobs have their folders: files of prepared photos may be larger than a machine's temporary folder.
 */
const placeOfJobs = (): string => join(cacheFolder(), "jobs");

/** Makes a folder for the files of one job. Throws StorageError if it cannot. */
export async function makeJobFolder(): Promise<string> {
  const folder = join(placeOfJobs(), uniqueName(PREFIX));
  try {
    await makeFolder(folder);
  } catch (cause) {
    throw storageError(
      "the folder cannot be made",
      folder,
      cause,
      "Set BARET_CACHE to a folder where this user may write.",
    );
  }
  return folder;
}

/** Removes the folders of jobs whose workers were killed. */
export const removeAbandonedJobs = (): Promise<void> => removeAbandoned(placeOfJobs(), PREFIX);
