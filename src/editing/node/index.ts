// Prepared photos on disk: files, and the cache.
// Knows of: everything above, and Node.
// Does not know of: reading photos, writing results.
export { PreparedCache, type PreparedCacheOptions } from "./cache.ts";
export {
  findStored,
  type PreparedStore,
  pictureHash,
  planPrepared,
  prepareStored,
  readPrepared,
  readPreparedHeader,
} from "./files.ts";
export { TrajectoryCache } from "./trajectories.ts";
