import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type ErrorDetails, StorageError, shown } from "../../../core/index.ts";
import { storageError } from "../../../storage/node/index.ts";
import { type BlobId, blobId } from "../../api/index.ts";
import type { OpenedBlob } from "../../blobs.ts";

/** Bytes of one read or write. */
const PIECE = 1 << 20;

/** Returns the id if it is one, so that no other text becomes part of a path or a URL. Throws StorageError. */
export function requireId(id: BlobId): BlobId {
  if (blobId.safeParse(id).success) return id;
  throw new StorageError("not the id of a blob", { found: shown(id), expected: "64 hexadecimal digits" });
}

/** Yields the bytes of a file, or those from `start` up to but without `end`. Throws StorageError if it cannot be read. */
export async function* piecesOf(path: string, start = 0, end = Infinity): AsyncGenerator<Uint8Array, void> {
  if (end <= start) return;
  try {
    yield* createReadStream(path, { highWaterMark: PIECE, start, end: end - 1 }) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw storageError("cannot be read", path, cause);
  }
}

/** Returns the SHA-256 of some bytes, computed in another thread, so that a large picture does not block this one. */
export async function idOfBytes(bytes: Uint8Array): Promise<BlobId> {
  const view = bytes as Uint8Array<ArrayBuffer>;
  return Buffer.from(await crypto.subtle.digest("SHA-256", view)).toString("hex");
}

/** Returns the SHA-256 of a file. */
export async function idOfFile(path: string): Promise<BlobId> {
  const hash = createHash("sha256");
  for await (const piece of piecesOf(path)) hash.update(piece);
  return hash.digest("hex");
}

/** Yields the pieces of a blob. Throws StorageError at their end if they have another hash than `id`. */
export async function* checked(
  pieces: AsyncIterable<Uint8Array>,
  id: BlobId,
  wrong: () => StorageError,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash("sha256");
  for await (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
  if (hash.digest("hex") !== id) throw wrong();
}

/** Returns a blob to read piece by piece. pieces: yields a part of its bytes. where: names it in errors. */
export const openedBlob = (
  id: BlobId,
  bytes: number,
  where: string,
  pieces: (start: number, end: number) => AsyncGenerator<Uint8Array, void>,
): OpenedBlob => ({
  bytes,
  read: (start = 0, end = bytes) => {
    const asked = pieces(start, Math.min(end, bytes));
    return start === 0 && end >= bytes ? checked(asked, id, () => damaged(where)) : asked;
  },
});

/** Returns the error of a blob whose bytes are not those that its name says. */
export const damaged = (where: string, details: ErrorDetails = {}): StorageError =>
  new StorageError("this blob is damaged: its bytes have another hash than its name", {
    where,
    advice: "Delete it. What it held is made again if a job needs it.",
    ...details,
  });

/** Returns the error of a file that changed while it was stored. */
export const changed = (where: string): StorageError =>
  new StorageError("the file changed while it was read", { where, advice: "Try again when it is complete." });
