import { join } from "node:path";
import { CheckpointError, StorageError } from "../../core/index.ts";
import { DiskCache, type DiskCacheOptions, openLocalFile, writeFileAtomic } from "../../storage/node/index.ts";
import type { PrepareWork } from "../prepare.ts";
import { decodePrepared, encodePrepared, isComplete, type Prepared } from "../prepared/index.ts";

export interface PreparedCacheOptions extends DiskCacheOptions {
  /** An unfinished value is written at most this often, in milliseconds. Default 2000. */
  everyMs?: number;
}

/** Kind of the entries in the disk cache. */
const kind = "prepared";
const file = "prepared.safetensors";

/**
 * Keeps prepared photos that nobody saved, in the disk cache, so that an edit that was stopped goes on where it was, and the
 * next edit of the same photo begins at once. A cache that cannot be read or written only costs time, so that is no error.
 */
export class PreparedCache {
  private readonly cache: DiskCache;
  private readonly everyMs: number;
  private written = 0;
  /** A value that was kept too soon after the last one to be written yet. */
  private waiting?: { key: string; bytes: Uint8Array };

  constructor({ everyMs = 2000, ...cache }: PreparedCacheOptions = {}) {
    this.cache = new DiskCache(cache);
    this.everyMs = everyMs;
  }

  /** Runs `prepare` from what is kept under `key`, and keeps what it makes after every step. */
  async during(key: string, prepare: (work: PrepareWork) => Promise<Prepared>): Promise<Prepared> {
    const resume = await this.take(key);
    try {
      return await prepare({ resume, onStep: (prepared) => this.keep(key, prepared) });
    } finally {
      await this.flush();
    }
  }

  /** The value of a key, finished or not. */
  async take(key: string): Promise<Prepared | undefined> {
    return orNothing(async () => {
      const entry = await this.cache.get({ kind, of: key });
      if (!entry) return undefined;
      try {
        return await decodePrepared(await openLocalFile(join(entry.folder, file)));
      } finally {
        await entry.release();
      }
    });
  }

  /** Keeps a value as it is now: writes it at once or, if the last was written a moment ago, by `flush`. */
  async keep(key: string, prepared: Prepared): Promise<void> {
    this.waiting = { key, bytes: encodePrepared(prepared) };
    if (isComplete(prepared) || Date.now() >= this.written + this.everyMs) await this.flush();
  }

  /** Writes what still waits. */
  async flush(): Promise<void> {
    if (!this.waiting) return;
    const { key, bytes } = this.waiting;
    this.waiting = undefined;
    await orNothing(() => this.cache.put({ kind, of: key }, (folder) => writeFileAtomic(join(folder, file), bytes)));
    this.written = Date.now();
  }
}

/** Runs `work`. Failures of the disk, and damaged files, give undefined. */
async function orNothing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StorageError || error instanceof CheckpointError || (error as NodeJS.ErrnoException).code)
      return undefined;
    throw error;
  }
}
