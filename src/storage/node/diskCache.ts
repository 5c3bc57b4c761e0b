import { lstat, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import { orCancelled, sha256, throwIfCancelled } from "../../core/index.ts";
import type { Cache, CacheEntry, CacheKey } from "../cache.ts";
import { syncFolder, writeFileAtomic } from "./atomic.ts";
import { cacheFolder } from "./cacheFolder.ts";
import { makeFolder } from "./folders.ts";
import { Leases } from "./leases.ts";
import { isIntact, readManifest, sizeOfEntry, writeManifest } from "./manifest.ts";
import { mayBeInUse, uniqueName } from "./owner.ts";
import { codeOf, ignoreMissing, ignoreReadOnly, isReadOnly, storageError } from "./systemErrors.ts";

export interface DiskCacheOptions {
  /** Default: the cache folder. */
  folder?: string;
  /**
   * If entries take more, the least recently used are dropped. Default: the limit that `setLimit` has stored in the folder,
   * else 20 GB, which is two SD checkpoints, expanded.
   */
  maxBytes?: number;
}

/** An entry as it lies on the disk. */
export interface CachedItem {
  readonly name: string;
  /** The key's kind. */
  readonly kind: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly lastUse: number;
  /** A process uses it now, so that it cannot be dropped. */
  readonly inUse: boolean;
}

const advice = "Set BARET_CACHE to a folder where this user may write, on a disk with free space.";
/** Begins the names of folders that are being made or removed. */
const UNFINISHED = "tmp.";
/** File that stores the limit, in bytes. */
const LIMIT = "limit";
const DEFAULT_LIMIT = 20e9;
/** The key's kind and hash. */
const ENTRY = /^([\w-]+)-[0-9a-f]{32}$/;

const nameOf = ({ kind, of }: CacheKey): string => `${kind}-${sha256(JSON.stringify([kind, of])).slice(0, 32)}`;

/**
 * A cache on disk that any number of processes share. An entry is a folder that appears complete, by one rename. A process
 * that uses an entry leases it, and leased entries are not dropped. Entries have checksums; a damaged one is made again. On
 * a disk that cannot be written, existing entries are used without a lease.
 */
export class DiskCache implements Cache {
  readonly folder: string;
  private readonly maxBytes: number | undefined;
  private readonly leases: Leases;
  private readonly making = new Map<string, Promise<void>>();
  private tidied: Promise<unknown> | undefined;

  constructor({ folder = cacheFolder(), maxBytes }: DiskCacheOptions = {}) {
    this.folder = resolve(folder);
    this.maxBytes = maxBytes;
    this.leases = new Leases(join(this.folder, "leases"));
  }

  async acquire(key: CacheKey, make: (folder: string) => Promise<void>, signal?: AbortSignal): Promise<CacheEntry> {
    const what = `caching ${key.kind}`;
    throwIfCancelled(signal, what);
    const entry = this.findOrMake(key, make, () => throwIfCancelled(signal, what));
    try {
      return await orCancelled(entry, signal, what);
    } catch (error) {
      // Writing goes on for some seconds after it was cancelled. Nobody else would release the entry then.
      entry.then(({ release }) => release()).catch(() => undefined);
      throw error;
    }
  }

  /** Returns the entry of `key`, or undefined if there is none or a damaged one. Throws StorageError. */
  async get(key: CacheKey): Promise<CacheEntry | undefined> {
    const name = nameOf(key);
    const folder = join(this.folder, name);
    return this.usingFolder(async () => {
      if (!(await readManifest(folder))) return undefined;
      const release = await this.lease(name);
      const isThere = await this.touch(folder, () => undefined).catch(async (error) => {
        await release();
        throw error;
      });
      if (isThere) return { folder, release };
      await release();
      return undefined;
    });
  }

  /** Makes the entry of `key` and replaces an older one, also if that is in use. Throws StorageError. */
  async put(key: CacheKey, make: (folder: string) => Promise<void>): Promise<void> {
    await this.usingFolder(() => this.create(nameOf(key), key, make, true));
  }

  /** Lists all intact entries, the least recently used first. Throws StorageError. */
  async items(): Promise<CachedItem[]> {
    return this.usingFolder(async () => (await this.scan()).items);
  }

  /**
   * Drops entries that are not in use, the least recently used first, until the others take at most `maxBytes`. Returns the
   * dropped ones. Throws StorageError.
   */
  async shrink(maxBytes: number): Promise<CachedItem[]> {
    return this.usingFolder(() => this.evict(maxBytes));
  }

  /** Drops entries of some kinds, or all, that are not in use. Returns the dropped ones. Throws StorageError. */
  async clear(kinds?: readonly string[]): Promise<CachedItem[]> {
    return this.usingFolder(() => this.evict(0, (item) => kinds === undefined || kinds.includes(item.kind)));
  }

  /** Bytes that the entries may take. Throws StorageError. */
  async limit(): Promise<number> {
    if (this.maxBytes !== undefined) return this.maxBytes;
    const stored = await readFile(join(this.folder, LIMIT), "utf8").catch(ignoreMissing);
    const bytes = Number(stored ?? Number.NaN);
    return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : DEFAULT_LIMIT;
  }

  /** Stores a limit in bytes for all who use this folder, and drops what exceeds it. Throws StorageError. */
  async setLimit(bytes: number): Promise<CachedItem[]> {
    return this.usingFolder(async () => {
      await makeFolder(this.folder);
      await writeFileAtomic(join(this.folder, LIMIT), new TextEncoder().encode(`${bytes}\n`));
      return this.evict(bytes);
    });
  }

  private async usingFolder<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw storageError("the cache cannot be used", this.folder, cause, advice);
    }
  }

  private async findOrMake(
    key: CacheKey,
    make: (folder: string) => Promise<void>,
    throwIfUnwanted: () => void,
  ): Promise<CacheEntry> {
    const name = nameOf(key);
    const folder = join(this.folder, name);
    return this.usingFolder(async () => {
      await this.tidyOnce();
      const release = await this.lease(name);
      try {
        while (!(await this.touch(folder, throwIfUnwanted))) {
          throwIfUnwanted();
          const another = this.making.get(name);
          if (another) await another.catch(() => undefined);
          else await this.createOnce(name, key, make);
        }
        return { folder, release };
      } catch (error) {
        await release();
        throw error;
      }
    });
  }

  /** Evicts once per process, because killed processes could not. If it fails, the next call tries again. */
  private tidyOnce(): Promise<unknown> {
    this.tidied ??= this.limit()
      .then((bytes) => this.evict(bytes))
      .catch((error) => {
        this.tidied = undefined;
        throw error;
      });
    return this.tidied;
  }

  /** Marks an entry as in use. On a disk that cannot be written there is nothing to mark, since nobody can drop it. */
  private async lease(name: string): Promise<() => Promise<void>> {
    return this.leases.take(name).catch((error) => {
      if (isReadOnly(error)) return async () => undefined;
      throw error;
    });
  }

  /** Notes that an entry is used now. Returns false if there is none or a damaged one. */
  private async touch(folder: string, throwIfUnwanted: () => void): Promise<boolean> {
    if (!(await isIntact(folder, throwIfUnwanted))) return false;
    const now = new Date();
    return utimes(folder, now, now).then(
      () => true,
      (error) => codeOf(error) !== "ENOENT",
    );
  }

  private async createOnce(name: string, key: CacheKey, make: (folder: string) => Promise<void>): Promise<void> {
    const made = this.create(name, key, make, false).finally(() => this.making.delete(name));
    this.making.set(name, made);
    await made;
  }

  private async create(
    name: string,
    key: CacheKey,
    make: (folder: string) => Promise<void>,
    replace: boolean,
  ): Promise<void> {
    const folder = join(this.folder, uniqueName("tmp"));
    await makeFolder(folder);
    try {
      await make(folder);
      await writeManifest(folder, key);
      await this.install(folder, name, replace);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    await this.evict(await this.limit());
  }

  /** Gives a complete folder its name. An intact entry of this name stays, unless it is to be replaced. */
  private async install(folder: string, name: string, replace: boolean): Promise<void> {
    const final = join(this.folder, name);
    const old = join(this.folder, uniqueName("tmp"));
    if (replace || !(await isIntact(final))) await rename(final, old).catch(ignoreMissing);
    await rename(folder, final).catch(async (error) => {
      // Another process was faster.
      if (!(await isIntact(final))) throw error;
    });
    await syncFolder(this.folder);
    await rm(old, { recursive: true, force: true });
  }

  /** Removes an entry, unless another process began to use it at this moment. Returns whether it is gone. */
  private async drop(name: string): Promise<boolean> {
    const path = join(this.folder, name);
    const aside = join(this.folder, uniqueName("tmp"));
    try {
      await rename(path, aside).catch(ignoreMissing);
    } catch {
      // The disk cannot be written, or the entry is open on Windows.
      return false;
    }
    const isUsed = (await this.leases.inUse()).has(name);
    if (isUsed) await rename(aside, path).catch(() => undefined);
    await rm(aside, { recursive: true, force: true });
    return !isUsed;
  }

  /** Removes what dead processes left and damaged entries. Lists the others, the least recently used first. */
  private async scan(): Promise<{ items: CachedItem[]; unfinishedBytes: number }> {
    const used = await this.leases.inUse();
    const items: CachedItem[] = [];
    let unfinishedBytes = 0;
    for (const name of (await readdir(this.folder).catch(ignoreMissing)) ?? []) {
      const path = join(this.folder, name);
      if (name.startsWith(UNFINISHED)) {
        if (await mayBeInUse(this.folder, name)) unfinishedBytes += await bytesBelow(path);
        else await rm(path, { recursive: true, force: true }).catch(ignoreReadOnly);
        continue;
      }
      const [, kind] = ENTRY.exec(name) ?? [];
      if (kind === undefined) continue;
      const inUse = used.has(name);
      const manifest = await readManifest(path);
      const found = await stat(path).catch(() => undefined);
      // A manifest that cannot be read is damaged, or was written by another version of baret.
      if (manifest && found) {
        items.push({ name, kind, bytes: sizeOfEntry(manifest), lastUse: found.mtimeMs, inUse });
      } else if (!inUse) await this.drop(name);
    }
    return { items: items.sort((a, b) => a.lastUse - b.lastUse), unfinishedBytes };
  }

  /** Drops entries until the others fit into `maxBytes`, together with entries that living processes are making. */
  private async evict(maxBytes: number, mayDrop: (item: CachedItem) => boolean = () => true): Promise<CachedItem[]> {
    const dropped: CachedItem[] = [];
    const { items, unfinishedBytes } = await this.scan();
    let total = items.reduce((sum, { bytes }) => sum + bytes, unfinishedBytes);
    for (const item of items) {
      if (total <= maxBytes) break;
      if (item.inUse || !mayDrop(item) || !(await this.drop(item.name))) continue;
      dropped.push(item);
      total -= item.bytes;
    }
    return dropped;
  }
}

/** Returns the size of the files directly in a folder. */
async function bytesBelow(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = names.map((name) =>
    lstat(join(folder, name))
      .then(({ size }) => size)
      .catch(() => 0),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
