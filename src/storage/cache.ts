/** What a cached thing is, in full: two things with one key are the same thing. */
export interface CacheKey {
  /** A word that begins the entry's name on disk, so that a person can tell what it is: "weights", "program". */
  kind: string;
  /** Everything that the content depends on: identities of its sources, versions, options. */
  of: unknown;
}

/** A cached folder that is in use: nothing deletes it until it is released. */
export interface CacheEntry {
  readonly folder: string;
  release(): Promise<void>;
}

/** Things that are costly to make, kept between runs and dropped, longest unused first, beyond a size. */
export interface Cache {
  /**
   * The entry of `key`, from the cache or made now: `make` writes files into an empty folder, which becomes the entry
   * in one step once it is complete. Two makers at once are harmless: the first to finish wins. When `signal` is
   * aborted this rejects at once; `make`, which should heed it too, may go on for a while.
   */
  acquire(key: CacheKey, make: (folder: string) => Promise<void>, signal?: AbortSignal): Promise<CacheEntry>;
}
