// Blobs on a disk or in an S3-compatible store.
// Knows of: storage, the interface BlobStore.
// Does not know of: jobs, pictures.
import { requireFolder } from "../../../storage/node/index.ts";
import type { BlobStore } from "../../blobs.ts";
import { FolderBlobs } from "./folder.ts";
import { S3Blobs } from "./s3.ts";
import { bucketOf, isS3 } from "./s3Client.ts";

/**
 * Opens the blobs of a place: "s3://BUCKET/PREFIX", or a folder, which is made if there is none. Throws StorageError if it cannot
 * be opened, UsageError if keys of the store are missing.
 */
export async function openBlobs(place: string): Promise<BlobStore> {
  if (isS3(place)) return S3Blobs.open(bucketOf(place));
  await requireFolder(place);
  return new FolderBlobs(place);
}
