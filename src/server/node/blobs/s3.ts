import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { StorageError } from "../../../core/index.ts";
import { storageError, writeFileAtomic } from "../../../storage/node/index.ts";
import { type BlobId, blobId } from "../../api/index.ts";
import type { BlobStore, StoredBlob } from "../../blobs.ts";
import { changed, checked, damaged, idOfBytes, idOfFile, piecesOf, requireId } from "./checked.ts";
import { type Bucket, send, unreachable } from "./s3Client.ts";

/** A blob that was stored less than this long ago is not stored again to renew its time. */
const FRESH_MS = 10 * 60_000;
/** Largest object that one request can store. */
const MAX_BYTES = 5 * 2 ** 30;

/** Blobs as objects of a bucket: "PREFIX/abcd…". An object appears with all its bytes, or not at all. */
export class S3Blobs implements BlobStore {
  private readonly bucket: Bucket;
  private readonly pageSize: number;

  private constructor(bucket: Bucket, pageSize: number) {
    this.bucket = bucket;
    this.pageSize = pageSize;
  }

  /** Opens the blobs of a bucket. pageSize: blobs in one answer of a list. Throws StorageError if the bucket cannot be read. */
  static async open(bucket: Bucket, pageSize = 1000): Promise<S3Blobs> {
    const response = await send(bucket, { method: "HEAD" });
    await response?.body?.cancel();
    return new S3Blobs(bucket, pageSize);
  }

  async put(bytes: Uint8Array): Promise<BlobId> {
    const id = await idOfBytes(bytes);
    await this.store(id, bytes.length, () => new Uint8Array(bytes));
    return id;
  }

  async putFile(path: string): Promise<BlobId> {
    const id = await idOfFile(path);
    const { size } = await stat(path).catch((cause) => {
      throw storageError("cannot be read", path, cause);
    });
    if (size > MAX_BYTES) {
      throw new StorageError("too large for a blob in a bucket", {
        where: path,
        found: `${size} bytes`,
        expected: `at most ${MAX_BYTES}`,
      });
    }
    const pieces = (): AsyncIterable<Uint8Array> => checked(piecesOf(path), id, () => changed(path));
    await this.store(id, size, () => Readable.toWeb(Readable.from(pieces(), { objectMode: false })) as ReadableStream);
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
    return { id, bytes: Number(headers.get("content-length")), stored: Date.parse(headers.get("last-modified") ?? "") };
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

  private async store(id: BlobId, bytes: number, body: () => Uint8Array<ArrayBuffer> | ReadableStream): Promise<void> {
    const known = await this.head(id);
    if (known?.bytes === bytes && known.stored > Date.now() - FRESH_MS) return;
    const response = await send(this.bucket, { method: "PUT", key: id, body, bytes, sha256: id });
    if (!response) throw new StorageError("the bucket does not exist", { where: this.bucket.url });
    await response.body?.cancel();
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
      "max-keys": `${this.pageSize}`,
      ...(prefix && { prefix }),
      ...(from !== undefined && { "continuation-token": from }),
    };
    const response = await send(this.bucket, { method: "GET", query });
    const text = (await response?.text()) ?? "";
    const blobs = [...text.matchAll(/<Contents>.*?<\/Contents>/gs)].flatMap(([entry]) => {
      const id = field(entry, "Key").slice(prefix.length);
      // Other objects of the bucket are none of ours.
      if (!blobId.safeParse(id).success) return [];
      return [{ id, bytes: Number(field(entry, "Size")), stored: Date.parse(field(entry, "LastModified")) }];
    });
    return { blobs, next: field(text, "NextContinuationToken") || undefined };
  }
}

/** Returns the text of an element of an answer. Those that are read here have no elements inside. */
const field = (xml: string, name: string): string =>
  (new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
