// Storage: the interfaces of caches, the hash of any source, and lists of a folder's files. node/ has the disk: files, caches,
// downloads from the hub, finding models. web/ has the same for a page: folders on a server, files that the user chose, and
// the browser's storage.
// Knows of: core, weights (tensors in files).
// Does not know of: graphs, devices, models.
export type { Cache, CacheEntry, CacheKey } from "./cache.ts";
export type { CachedFile, FileCache, FileKey } from "./fileCache.ts";
export { type FileList, LIST_NAME, type ListedFile, listFiles } from "./fileList.ts";
export { hashSource } from "./hashSource.ts";
