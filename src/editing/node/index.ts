// Prepared photos on disk: files, and the cache.
// Knows of: everything above, and Node.
// Does not know of: reading photos, writing results.
export { PreparedCache, type PreparedCacheOptions } from "./cache.ts";
export {
  type PreparedFileOptions,
  preparedFile,
  readPrepared,
  readPreparedHeader,
} from "./files.ts";
