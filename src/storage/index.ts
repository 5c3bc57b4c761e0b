// Storage: the interfaces of caches, and the hash of any source. node/ has the disk: files, caches, downloads from the hub,
// finding models.
// Knows of: core, weights (tensors in files).
// Does not know of: graphs, devices, models.
export type { Cache, CacheEntry, CacheKey } from "./cache.ts";
export type { CachedFile, FileCache, FileKey } from "./fileCache.ts";
export { hashSource } from "./hashSource.ts";
