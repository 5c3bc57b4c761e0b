import type { ByteSource } from "../weights/index.ts";
import type { CacheKey } from "./cache.ts";

/** Identifies a cached file. */
export interface FileKey extends CacheKey {
  /** Name of the file, such as "prepared.safetensors". */
  readonly name: string;
}

/** A cached file in use. It is not deleted before it is released. */
export interface CachedFile {
  readonly source: ByteSource;
  /** Holds no reference to `source`. */
  readonly release: () => Promise<void>;
}

/** Keeps files between runs. Beyond a size, drops the least recently used. */
export interface FileCache {
  /** Opens the file of a key. Returns undefined if there is none or a damaged one. Throws StorageError. */
  open(key: FileKey): Promise<CachedFile | undefined>;
  /** Writes the file of a key in one step, and replaces an older one, also if that is in use. Throws StorageError. */
  write(key: FileKey, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
}
