// Where bytes are kept: what a cache promises. The disk's part is in node.ts: files, caches, hub downloads, finding models.
// Knows of: core, weights (what a tensor in a file is).
// Does not know of: graphs, devices, models.
export type { Cache, CacheEntry, CacheKey } from "./cache.ts";
