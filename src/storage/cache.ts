/** Identifies a cached result. Two results with equal keys are the same. */
export interface CacheKey {
  /** Begins the entry's name on disk, so that a person can tell what it is: "weights", "program". */
  kind: string;
  /** Everything that the content depends on: identities of its sources, versions, options. */
  of: unknown;
}

/** A cached folder in use. It is not deleted before it is released. */
export interface CacheEntry {
  readonly folder: string;
  release(): Promise<void>;
}

/** Keeps costly results between runs. Beyond a size, drops the least recently used. */
export interface Cache {
  /**
   * Returns the entry of `key`. If there is none, calls `make`, which writes files into an empty folder; the folder becomes
   * the entry in one step once it is complete. If two callers make the same entry, the first to finish wins. Rejects as
   * soon as `signal` aborts; `make` should heed the signal too, and may go on for a while.
   */
  acquire(key: CacheKey, make: (folder: string) => Promise<void>, signal?: AbortSignal): Promise<CacheEntry>;
}
