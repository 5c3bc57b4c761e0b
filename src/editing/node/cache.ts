import { join } from "node:path";
import type { CacheEntry } from "../../storage/index.ts";
import { DiskCache, type DiskCacheOptions, openLocalFile, writeFileAtomic } from "../../storage/node/index.ts";
import type { PrepareWork } from "../prepare.ts";
import { decodePrepared, encodePrepared, isComplete, type Prepared, preparedPieces } from "../prepared/index.ts";
import { orUndefined } from "./orUndefined.ts";
import { TrajectoryCache } from "./trajectories.ts";

export interface PreparedCacheOptions extends DiskCacheOptions {
  /** Shortest time between two writes of an unfinished value, in milliseconds. Default 2000. */
  everyMs?: number;
}

/** Kind of the entries in the disk cache. */
const kind = "prepared";
const file = "prepared.safetensors";

/** Releases the entry of a file once nothing refers to the weights in it any more. */
const unreferenced = new FinalizationRegistry<CacheEntry>((entry) => {
  entry.release().catch(() => undefined);
});

/**
 * Stores prepared photos in the disk cache, so that an edit that was stopped resumes, and the next edit of the same photo
 * starts at once. A cache that cannot be read or written costs time only, so this is not an error.
 */
export class PreparedCache {
  /** DDIM inversions, which methods share. */
  readonly trajectories: TrajectoryCache;
  private readonly cache: DiskCache;
  private readonly everyMs: number;
  private written = 0;
  /** The latest value, if it came too soon after the last write. */
  private waiting?: { key: string; bytes: Uint8Array };

  constructor({ everyMs = 2000, ...cache }: PreparedCacheOptions = {}) {
    this.cache = new DiskCache(cache);
    this.trajectories = new TrajectoryCache(this.cache);
    this.everyMs = everyMs;
  }

  /**
   * Runs `prepare` with the value stored under `key`, and stores its value after every step. Weights of the result lie in the
   * stored file, which stays in the cache as long as they are referred to.
   */
  async during(key: string, prepare: (work: PrepareWork) => Promise<Prepared>): Promise<Prepared> {
    const resume = await this.find(key);
    let prepared: Prepared;
    try {
      prepared = await prepare({ resume, onStep: (prepared) => this.store(key, prepared) });
    } finally {
      await this.flush();
    }
    if (!prepared.weights || prepared.weights === resume?.weights) return prepared;
    return (await this.find(key)) ?? prepared;
  }

  /** Returns the value stored under a key, finished or not. */
  async find(key: string): Promise<Prepared | undefined> {
    return orUndefined(async () => {
      const entry = await this.cache.get({ kind, of: key });
      if (!entry) return undefined;
      let isHeld = false;
      try {
        const source = await openLocalFile(join(entry.folder, file));
        const prepared = await decodePrepared(source);
        isHeld = prepared.weights !== undefined;
        if (isHeld) unreferenced.register(source, entry);
        return prepared;
      } finally {
        if (!isHeld) await entry.release();
      }
    });
  }

  /** Writes a value now, or leaves it to a later call or `flush` if the last write was less than `everyMs` ago. */
  private async store(key: string, prepared: Prepared): Promise<void> {
    if (prepared.weights) {
      // A method that tunes weights saves rarely, and they are too large to wait in memory.
      this.waiting = undefined;
      return this.write(key, preparedPieces(prepared));
    }
    this.waiting = { key, bytes: await encodePrepared(prepared) };
    if (isComplete(prepared) || Date.now() >= this.written + this.everyMs) await this.flush();
  }

  /** Writes the value that is still waiting. */
  private async flush(): Promise<void> {
    if (!this.waiting) return;
    const { key, bytes } = this.waiting;
    this.waiting = undefined;
    await this.write(key, bytes);
  }

  private async write(key: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    await orUndefined(() => this.cache.put({ kind, of: key }, (folder) => writeFileAtomic(join(folder, file), bytes)));
    this.written = Date.now();
  }
}
