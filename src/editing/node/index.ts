// Prepared photos on disk: files, and the cache.
// Knows of: everything above, and Node.
// Does not know of: where photos come from, where results go.
export { PreparedCache, type PreparedCacheOptions } from "./cache.ts";
export { type Keeping, pictureHash, prepareKept, readPrepared } from "./files.ts";
