import { DiskCache, type DiskCacheOptions, filesIn } from "../../storage/node/index.ts";
import { PreparedFiles, type PreparedFilesOptions } from "../preparedFiles.ts";

export interface PreparedCacheOptions extends DiskCacheOptions, PreparedFilesOptions {}

/** Stores prepared photos in the disk cache. */
export class PreparedCache extends PreparedFiles {
  constructor({ everyMs, ...cache }: PreparedCacheOptions = {}) {
    super(filesIn(new DiskCache(cache)), { everyMs });
  }
}
