import { createHash } from "node:crypto";
import { StorageError } from "../../../core/index.ts";
import type { BlobId } from "../../api/index.ts";
import { changed, idOfBytes, piecesOf } from "./checked.ts";
import { type Bucket, field, refusalOf, send } from "./s3Client.ts";

/** Usual size of a part. Each one is held in the memory. */
export const PART_BYTES = 16 << 20;
/** Most parts of one object. */
const MAX_PARTS = 10_000;

/** A file to store in parts. */
export interface PartedFile {
  /** Its name in the store, which is the SHA-256 of its bytes. */
  readonly key: BlobId;
  readonly path: string;
  readonly size: number;
  /** Bytes of a part. They are more if the file would have over 10,000 parts. */
  readonly part: number;
}

/**
 * Stores a file in parts, of which each one is sent again if it fails. The object appears with its last part. If that fails, the
 * store forgets the parts. Throws StorageError, also if the file changed meanwhile.
 */
export async function storeInParts(bucket: Bucket, { key, path, size, part }: PartedFile): Promise<void> {
  const started = await textOf(bucket, { method: "POST", key, query: { uploads: "" } });
  const uploadId = field(started, "UploadId");
  try {
    const tags: string[] = [];
    const hash = createHash("sha256");
    const step = Math.max(part, Math.ceil(size / MAX_PARTS));
    for (let start = 0; start < size; start += step) {
      const bytes = await bytesOf(path, start, Math.min(size, start + step));
      hash.update(bytes);
      tags.push(await putPart(bucket, key, uploadId, tags.length + 1, bytes));
    }
    if (hash.digest("hex") !== key) throw changed(path);
    await complete(bucket, key, uploadId, tags);
  } catch (error) {
    // The first error counts. A store also forgets unfinished parts after a time that its owner sets.
    const forgotten = await send(bucket, { method: "DELETE", key, query: { uploadId } }).catch(() => undefined);
    await forgotten?.body?.cancel();
    throw error;
  }
}

async function bytesOf(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - start);
  let at = 0;
  for await (const piece of piecesOf(path, start, end)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  if (at < bytes.length) throw changed(path);
  return bytes;
}

/** Stores a part, and returns the tag that the store gives it. */
async function putPart(
  bucket: Bucket,
  key: BlobId,
  uploadId: string,
  partNumber: number,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const query = { partNumber: `${partNumber}`, uploadId };
  const sha256 = await idOfBytes(bytes);
  const response = await send(bucket, { method: "PUT", key, query, body: () => bytes, bytes: bytes.length, sha256 });
  await response?.body?.cancel();
  const tag = response?.headers.get("etag");
  if (!tag) throw new StorageError("the store of blobs lost an upload", { where: bucket.url, advice: "Try again." });
  return tag;
}

async function complete(bucket: Bucket, key: BlobId, uploadId: string, tags: readonly string[]): Promise<void> {
  const parts = tags.map((tag, k) => `<Part><PartNumber>${k + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
  const body = new TextEncoder().encode(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
  const sha256 = await idOfBytes(body);
  const text = await textOf(bucket, {
    ...{ method: "POST", key, query: { uploadId }, body: () => body, bytes: body.length, sha256 },
  });
  // The status is 200 before the store has put the parts together.
  if (text.includes("<Error>")) throw refusalOf(bucket, 200, text);
}

async function textOf(bucket: Bucket, request: Parameters<typeof send>[1]): Promise<string> {
  const response = await send(bucket, request);
  if (!response)
    throw new StorageError("the store of blobs lost an upload", { where: bucket.url, advice: "Try again." });
  return response.text();
}
