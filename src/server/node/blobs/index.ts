// Blobs on a disk or in an S3-compatible store.
// Knows of: storage, the interface BlobStore.
// Does not know of: jobs, pictures.
import { requireFolder } from "../../../storage/node/index.ts";
import type { BlobStore } from "../../blobs.ts";
import { FolderBlobs } from "./folder.ts";

/** Opens the blobs of a folder, and makes the folder if there is none. Throws StorageError if it cannot. */
export async function openBlobs(place: string): Promise<BlobStore> {
  await requireFolder(place);
  return new FolderBlobs(place);
}
