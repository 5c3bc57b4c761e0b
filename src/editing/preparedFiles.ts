import type { CachedFile, FileCache } from "../storage/index.ts";
import { orUndefined } from "./orUndefined.ts";
import type { PrepareWork } from "./prepare.ts";
import { decodePrepared, encodePrepared, isComplete, type Prepared, preparedPieces } from "./prepared/index.ts";
import type { PreparedStore } from "./preparedStore.ts";
import { TrajectoryCache } from "./trajectories.ts";

export interface PreparedFilesOptions {
  /** Shortest time between two writes of an unfinished value, in milliseconds. Default 2000. */
  everyMs?: number;
}

const fileOf = (of: string) => ({ kind: "prepared", of, name: "prepared.safetensors" });

/** Releases a file once nothing refers to the weights in it any more. */
const unreferenced = new FinalizationRegistry<CachedFile["release"]>((release) => {
  release().catch(() => undefined);
});

/**
 * Stores prepared photos in a cache, so that an edit that was stopped resumes, and the next edit of the same photo starts at
 * once. A cache that cannot be read or written costs time only, so this is not an error.
 */
export class PreparedFiles implements PreparedStore {
  /** DDIM inversions, which methods share. */
  readonly trajectories: TrajectoryCache;
  private readonly files: FileCache;
  private readonly everyMs: number;
  private written = 0;
  /** The latest value, if it came too soon after the last write. */
  private waiting?: { key: string; bytes: Uint8Array };

  constructor(files: FileCache, { everyMs = 2000 }: PreparedFilesOptions = {}) {
    this.files = files;
    this.trajectories = new TrajectoryCache(files);
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
      const file = await this.files.open(fileOf(key));
      if (!file) return undefined;
      let isHeld = false;
      try {
        const prepared = await decodePrepared(file.source);
        isHeld = prepared.weights !== undefined;
        if (isHeld) unreferenced.register(file.source, file.release);
        return prepared;
      } finally {
        if (!isHeld) await file.release();
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

  private async write(key: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    await orUndefined(() => this.files.write(fileOf(key), content));
    this.written = Date.now();
  }
}
