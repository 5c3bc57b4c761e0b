import type { BlobId } from "./api/index.ts";

export interface StoredBlob {
  readonly id: BlobId;
  readonly bytes: number;
  /** When it was last stored, in milliseconds since 1970. */
  readonly stored: number;
}

/** A blob that is read piece by piece. */
export interface OpenedBlob {
  readonly bytes: number;
  /**
   * Yields the bytes from `start` up to but without `end`, default all. Nothing is opened before the first piece is asked for.
   * Throws StorageError; if all bytes are read, also at their end if they have another hash than the id.
   */
  read(start?: number, end?: number): AsyncGenerator<Uint8Array, void>;
}

/**
 * Files by the SHA-256 of their bytes: a folder, or an S3-compatible store. A reader gets whole files only. Storing a blob again
 * writes no second one, but renews its time: a sweep that spares blobs of the last hour spares it too.
 */
export interface BlobStore {
  put(bytes: Uint8Array): Promise<BlobId>;
  /** Stores the file at a path, which may be larger than the memory. */
  putFile(path: string): Promise<BlobId>;
  /** Returns undefined if there is no such blob. Throws StorageError if its bytes have another hash. */
  get(id: BlobId): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Returns a blob that may be larger than the memory. Undefined if there is no such blob. */
  open(id: BlobId): Promise<OpenedBlob | undefined>;
  /** Writes a blob to a file, atomically. Returns false if there is no such blob. */
  getFile(id: BlobId, path: string): Promise<boolean>;
  head(id: BlobId): Promise<StoredBlob | undefined>;
  delete(id: BlobId): Promise<void>;
  list(): AsyncIterable<StoredBlob>;
}
