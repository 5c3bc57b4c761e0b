import { StoredCache, type StoredCacheOptions } from "../../storage/web/index.ts";
import { PreparedFiles, type PreparedFilesOptions } from "../preparedFiles.ts";

export interface PreparedCacheOptions extends StoredCacheOptions, PreparedFilesOptions {}

/** Stores prepared photos in the browser's storage. */
export class PreparedCache extends PreparedFiles {
  constructor({ everyMs, ...cache }: PreparedCacheOptions = {}) {
    super(new StoredCache(cache), { everyMs });
  }
}
