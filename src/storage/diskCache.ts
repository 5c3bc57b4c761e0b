import { createHash } from "node:crypto";
import { lstat, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import { orCancelled, throwIfCancelled } from "../core/index.ts";
import { syncFolder } from "./atomic.ts";
import type { Cache, CacheEntry, CacheKey } from "./cache.ts";
import { codeOf, isMissing, isReadOnly, storageError } from "./failures.ts";
import { makeFolder } from "./folders.ts";
import { Leases } from "./leases.ts";
import { isIntact, readManifest, sizeOfEntry, writeManifest } from "./manifest.ts";
import { ownerLives, ownName } from "./owner.ts";
import { cacheFolder } from "./places.ts";

export interface DiskCacheOptions {
  folder?: string;
  /** Entries beyond this are dropped, longest unused first. Default 20 GB: two SD checkpoints, expanded. */
  maxBytes?: number;
}

const advice = "Set BARET_CACHE to a folder on a disk with room, where this user may write.";
/** Folders whose names begin with this are being made or removed. */
const UNFINISHED = "tmp.";
/** The kind and the key's hash. */
const ENTRY = /^[\w-]+-[0-9a-f]{32}$/;

/**
 * A cache on disk, shared by any number of processes. An entry is a folder that appears complete by one rename. Whoever
 * uses it leaves a mark, and marked entries are not dropped. Every entry has checksums: a damaged one is made again.
 * On a disk that cannot be written, the entries that are there are used without a mark.
 */
export class DiskCache implements Cache {
  readonly folder: string;
  private readonly maxBytes: number;
  private readonly leases: Leases;
  private readonly making = new Map<string, Promise<void>>();
  private tidied: Promise<void> | undefined;

  constructor({ folder = cacheFolder(), maxBytes = 20e9 }: DiskCacheOptions = {}) {
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
      // Cancelled, but what is being written out goes on for some seconds; then nobody would release it.
      entry.then(({ release }) => release()).catch(() => undefined);
      throw error;
    }
  }

  private async findOrMake(
    key: CacheKey,
    make: (folder: string) => Promise<void>,
    throwIfUnwanted: () => void,
  ): Promise<CacheEntry> {
    const hash = createHash("sha256")
      .update(JSON.stringify([key.kind, key.of]))
      .digest("hex");
    const name = `${key.kind}-${hash.slice(0, 32)}`;
    const folder = join(this.folder, name);
    try {
      await this.tidyOnce();
      const release = await this.mark(name);
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
    } catch (cause) {
      throw storageError("the cache cannot be used", this.folder, cause, advice);
    }
  }

  /** Makes up for processes that were killed before they could evict. Tried again later if it fails. */
  private tidyOnce(): Promise<void> {
    this.tidied ??= this.evict().catch((error) => {
      this.tidied = undefined;
      throw error;
    });
    return this.tidied;
  }

  /** Marks an entry as in use. Where nothing may be written, nobody who may not write either can drop it. */
  private async mark(name: string): Promise<() => Promise<void>> {
    return this.leases.take(name).catch((error) => {
      if (isReadOnly(error)) return async () => undefined;
      throw error;
    });
  }

  /** Notes that an entry is used now. False if there is none, or a damaged one. */
  private async touch(folder: string, throwIfUnwanted: () => void): Promise<boolean> {
    if (!(await isIntact(folder, throwIfUnwanted))) return false;
    const now = new Date();
    return utimes(folder, now, now).then(
      () => true,
      (error) => codeOf(error) !== "ENOENT",
    );
  }

  private async createOnce(name: string, key: CacheKey, make: (folder: string) => Promise<void>): Promise<void> {
    const made = this.create(name, key, make).finally(() => this.making.delete(name));
    this.making.set(name, made);
    await made;
  }

  private async create(name: string, key: CacheKey, make: (folder: string) => Promise<void>): Promise<void> {
    const folder = join(this.folder, ownName("tmp"));
    await makeFolder(folder);
    try {
      await make(folder);
      await writeManifest(folder, key);
      await this.install(folder, name);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    await this.evict();
  }

  /** Gives a complete folder its name. If another process was faster, its entry stays. */
  private async install(folder: string, name: string): Promise<void> {
    const final = join(this.folder, name);
    if (!(await isIntact(final))) await this.remove(name);
    await rename(folder, final).catch(async (error) => {
      if (!(await isIntact(final))) throw error;
    });
    await syncFolder(this.folder);
  }

  private async remove(name: string): Promise<void> {
    const trash = join(this.folder, ownName("tmp"));
    await rename(join(this.folder, name), trash).catch((error) => {
      if (codeOf(error) !== "ENOENT") throw error;
    });
    await rm(trash, { recursive: true, force: true });
  }

  /** Removes an entry, but not one that another process began to use at this very moment. */
  private async drop(name: string): Promise<void> {
    const aside = join(this.folder, ownName("tmp"));
    await rename(join(this.folder, name), aside).catch(() => undefined);
    if ((await this.leases.inUse()).has(name)) await rename(aside, join(this.folder, name)).catch(() => undefined);
    await rm(aside, { recursive: true, force: true });
  }

  /**
   * Removes what dead processes left, then drops entries, longest unused first, until the rest fits beside what living
   * processes are making.
   */
  private async evict(): Promise<void> {
    try {
      const used = await this.leases.inUse();
      const entries: { name: string; bytes: number; lastUse: number }[] = [];
      let total = 0;
      for (const name of await readdir(this.folder)) {
        const path = join(this.folder, name);
        if (name.startsWith(UNFINISHED)) {
          if (await ownerLives(this.folder, name)) total += await bytesBelow(path);
          else await rm(path, { recursive: true, force: true });
          continue;
        }
        if (!ENTRY.test(name)) continue;
        const manifest = await readManifest(path);
        const found = await stat(path).catch(() => undefined);
        if (!manifest || !found) {
          // Damaged, or of a version of baret that noted something else.
          if (!used.has(name)) await this.drop(name);
          continue;
        }
        const bytes = sizeOfEntry(manifest);
        total += bytes;
        entries.push({ name, bytes, lastUse: found.mtimeMs });
      }
      for (const { name, bytes } of entries.sort((a, b) => a.lastUse - b.lastUse)) {
        if (total <= this.maxBytes) return;
        if (used.has(name)) continue;
        await this.drop(name);
        total -= bytes;
      }
    } catch (error) {
      // There is no cache yet, or it may only be read.
      if (!isMissing(error) && !isReadOnly(error)) throw error;
    }
  }
}

/** Bytes of the files that lie directly in a folder. */
async function bytesBelow(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = names.map((name) =>
    lstat(join(folder, name))
      .then(({ size }) => size)
      .catch(() => 0),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
