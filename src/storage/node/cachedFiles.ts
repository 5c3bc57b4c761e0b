import { join } from "node:path";
import type { FileCache } from "../fileCache.ts";
import { writeFileAtomic } from "./atomic.ts";
import type { DiskCache } from "./diskCache.ts";
import { openLocalFile } from "./files.ts";

/** Returns a cache of files in a disk cache. Each entry holds one file. */
export const filesIn = (cache: DiskCache): FileCache => ({
  open: async ({ name, ...key }) => {
    const entry = await cache.get(key);
    if (!entry) return undefined;
    try {
      return { source: await openLocalFile(join(entry.folder, name)), release: entry.release };
    } catch (error) {
      await entry.release();
      throw error;
    }
  },
  write: ({ name, ...key }, content) => cache.put(key, (folder) => writeFileAtomic(join(folder, name), content)),
});
