import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { StorageError } from "../../../core/index.ts";
import { storageError, writeFileAtomic } from "../../../storage/node/index.ts";
import { type BlobId, blobId } from "../../api/index.ts";
import type { BlobStore, OpenedBlob, StoredBlob } from "../../blobs.ts";
import { changed, checked, damaged, idOfBytes, idOfFile, openedBlob, piecesOf, requireId } from "./checked.ts";
import { type Bucket, field, send, unreachable } from "./s3Client.ts";
import { PART_BYTES, storeInParts } from "./s3Parts.ts";

/** A blob that was stored less than this long ago is not stored again to renew its time. */
const FRESH_MS = 10 * 60_000;
/** A larger file is stored in parts, since one request stores at most 5 GiB, and a broken one is sent again from its start. */
const MAX_WHOLE_BYTES = 64 << 20;

interface Limits {
  /** Blobs in one answer of a list. Default 1000. */
  readonly page: number;
  /** Bytes of the largest file that is stored by one request. Default 64 MiB. */
  readonly whole: number;
  /** Bytes of each part of a larger file. Default 16 MiB; stores take at least 5 MiB. */
  readonly part: number;
}

/** Returns a time in whole seconds: the same object has milliseconds in the lists of some stores, but never in a header. */
const timeOf = (text: string): number => Math.floor(Date.parse(text) / 1000) * 1000;

/** Blobs as objects of a bucket: "PREFIX/abcd…". An object appears with all its bytes, or not at all. */
export class S3Blobs implements BlobStore {
  private readonly bucket: Bucket;
  private readonly limits: Limits;

  private constructor(bucket: Bucket, limits: Limits) {
    this.bucket = bucket;
    this.limits = limits;
  }

  /** Opens the blobs of a bucket. Throws StorageError if the bucket cannot be read. */
  static async open(bucket: Bucket, limits: Partial<Limits> = {}): Promise<S3Blobs> {
    const response = await send(bucket, { method: "HEAD" });
    await response?.body?.cancel();
    return new S3Blobs(bucket, { page: 1000, whole: MAX_WHOLE_BYTES, part: PART_BYTES, ...limits });
  }

  async put(bytes: Uint8Array): Promise<BlobId> {
    const id = await idOfBytes(bytes);
    if (!(await this.isFresh(id, bytes.length))) await this.putWhole(id, bytes.length, () => new Uint8Array(bytes));
    return id;
  }

  async putFile(path: string): Promise<BlobId> {
    const id = await idOfFile(path);
    const { size } = await stat(path).catch((cause) => {
      throw storageError("cannot be read", path, cause);
    });
    if (await this.isFresh(id, size)) return id;
    if (size > this.limits.whole) {
      await storeInParts(this.bucket, { key: id, path, size, part: this.limits.part });
      return id;
    }
    const pieces = (): AsyncIterable<Uint8Array> => checked(piecesOf(path), id, () => changed(path));
    await this.putWhole(
      id,
      size,
      () => Readable.toWeb(Readable.from(pieces(), { objectMode: false })) as ReadableStream,
    );
    return id;
  }

  async get(id: BlobId): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const response = await send(this.bucket, { method: "GET", key: requireId(id) });
    if (!response) return undefined;
    const buffer = await response.arrayBuffer().catch((cause: unknown) => {
      throw unreachable(this.bucket, cause);
    });
    const bytes = new Uint8Array(buffer);
    if ((await idOfBytes(bytes)) !== id) throw damaged(this.nameOf(id));
    return bytes;
  }

  async open(id: BlobId): Promise<OpenedBlob | undefined> {
    const found = await this.head(id);
    return found && openedBlob(id, found.bytes, this.nameOf(id), (start, end) => this.part(id, start, end));
  }

  async getFile(id: BlobId, to: string): Promise<boolean> {
    const response = await send(this.bucket, { method: "GET", key: requireId(id) });
    if (!response) return false;
    await writeFileAtomic(
      to,
      checked(this.piecesOf(response), id, () => damaged(this.nameOf(id))),
    );
    return true;
  }

  async head(id: BlobId): Promise<StoredBlob | undefined> {
    const response = await send(this.bucket, { method: "HEAD", key: requireId(id) });
    if (!response) return undefined;
    const { headers } = response;
    return { id, bytes: Number(headers.get("content-length")), stored: timeOf(headers.get("last-modified") ?? "") };
  }

  async delete(id: BlobId): Promise<void> {
    const response = await send(this.bucket, { method: "DELETE", key: requireId(id) });
    await response?.body?.cancel();
  }

  async *list(): AsyncGenerator<StoredBlob, void> {
    let next: string | undefined;
    do {
      const page = await this.page(next);
      yield* page.blobs;
      next = page.next;
    } while (next !== undefined);
  }

  private nameOf(id: BlobId): string {
    return `${this.bucket.url}/${this.bucket.prefix}${id}`;
  }

  /** Tells if a blob is there, and new enough. */
  private async isFresh(id: BlobId, bytes: number): Promise<boolean> {
    const known = await this.head(id);
    return known?.bytes === bytes && known.stored > Date.now() - FRESH_MS;
  }

  private async putWhole(
    id: BlobId,
    bytes: number,
    body: () => Uint8Array<ArrayBuffer> | ReadableStream,
  ): Promise<void> {
    const response = await send(this.bucket, { method: "PUT", key: id, body, bytes, sha256: id });
    if (!response) throw new StorageError("the bucket does not exist", { where: this.bucket.url });
    await response.body?.cancel();
  }

  private async *part(id: BlobId, start: number, end: number): AsyncGenerator<Uint8Array, void> {
    if (end <= start) return;
    const response = await send(this.bucket, { method: "GET", key: id, range: `bytes=${start}-${end - 1}` });
    if (!response) throw new StorageError("this blob was deleted while it was read", { where: this.nameOf(id) });
    yield* this.piecesOf(response);
  }

  private async *piecesOf({ body }: Response): AsyncGenerator<Uint8Array, void> {
    try {
      if (body) yield* body as unknown as AsyncIterable<Uint8Array>;
    } catch (cause) {
      throw unreachable(this.bucket, cause);
    }
  }

  /** Lists some blobs, from a token of the store on. */
  private async page(from: string | undefined): Promise<{ blobs: StoredBlob[]; next: string | undefined }> {
    const { prefix } = this.bucket;
    const query = {
      "list-type": "2",
      "max-keys": `${this.limits.page}`,
      ...(prefix && { prefix }),
      ...(from !== undefined && { "continuation-token": from }),
    };
    const response = await send(this.bucket, { method: "GET", query });
    const text = (await response?.text()) ?? "";
    const blobs = [...text.matchAll(/<Contents>.*?<\/Contents>/gs)].flatMap(([entry]) => {
      const id = field(entry, "Key").slice(prefix.length);
      // Other objects of the bucket are none of ours.
      if (!blobId.safeParse(id).success) return [];
      return [{ id, bytes: Number(field(entry, "Size")), stored: timeOf(field(entry, "LastModified")) }];
    });
    return { blobs, next: field(text, "NextContinuationToken") || undefined };
  }
}
