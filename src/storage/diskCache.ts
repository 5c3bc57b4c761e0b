import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { orCancelled, throwIfCancelled } from "../core/index.ts";
import { storageError, syncFolder } from "./atomic.ts";
import type { Cache, CacheEntry, CacheKey } from "./cache.ts";
import { Leases, ownerLives, ownName } from "./leases.ts";
import { cacheFolder } from "./places.ts";

/** Lists an entry's files and their sizes, so that a damaged entry is noticed. Written last. */
const manifestName = "entry.json";

interface Manifest {
  key: CacheKey;
  files: Record<string, number>;
}

export interface DiskCacheOptions {
  folder?: string;
  /** Entries beyond this are dropped, longest unused first. Default 20 GB: two SD checkpoints, expanded. */
  maxBytes?: number;
}

const advice = "Set BARET_CACHE to a folder on a disk with room, where this user may write.";

/**
 * A cache on disk, shared by any number of processes: an entry is a folder that appears complete by one rename; who
 * uses it leaves a mark, and what is marked is not dropped.
 */
export class DiskCache implements Cache {
  readonly folder: string;
  private readonly maxBytes: number;
  private readonly leases: Leases;
  private readonly making = new Map<string, Promise<void>>();

  constructor({ folder = cacheFolder(), maxBytes = 20e9 }: DiskCacheOptions = {}) {
    this.folder = folder;
    this.maxBytes = maxBytes;
    this.leases = new Leases(join(folder, "leases"));
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
    try {
      const release = await this.leases.take(name);
      try {
        while (!(await this.touch(name))) {
          throwIfUnwanted();
          const another = this.making.get(name);
          if (another) await another.catch(() => undefined);
          else await this.createOnce(name, key, make);
        }
        return { folder: join(this.folder, name), release };
      } catch (error) {
        await release();
        throw error;
      }
    } catch (cause) {
      throw storageError("the cache cannot be used", this.folder, cause, advice);
    }
  }

  /** Marks an entry as used now. False where there is none, or a damaged one. */
  private async touch(name: string): Promise<boolean> {
    if (!(await this.isIntact(name))) return false;
    const now = new Date();
    return utimes(join(this.folder, name), now, now).then(
      () => true,
      (error) => error.code !== "ENOENT",
    );
  }

  private async createOnce(name: string, key: CacheKey, make: (folder: string) => Promise<void>): Promise<void> {
    const made = this.create(name, key, make).finally(() => this.making.delete(name));
    this.making.set(name, made);
    await made;
  }

  private async create(name: string, key: CacheKey, make: (folder: string) => Promise<void>): Promise<void> {
    const folder = join(this.folder, ownName("tmp"));
    await mkdir(folder, { recursive: true });
    try {
      await make(folder);
      const files: Record<string, number> = {};
      for (const file of await readdir(folder)) files[file] = await syncedSize(join(folder, file));
      await writeFile(join(folder, manifestName), JSON.stringify({ key, files } satisfies Manifest, undefined, 1));
      await syncedSize(join(folder, manifestName));
      await this.install(folder, name);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    await this.evict();
  }

  /** Gives a complete folder its name. Where another process was faster, its entry stays. */
  private async install(folder: string, name: string): Promise<void> {
    if (!(await this.isIntact(name))) await this.remove(name);
    await rename(folder, join(this.folder, name)).catch(async (error) => {
      if (!(await this.isIntact(name))) throw error;
    });
    await syncFolder(this.folder);
  }

  private async manifest(name: string): Promise<Manifest | undefined> {
    return readFile(join(this.folder, name, manifestName), "utf8")
      .then((text) => JSON.parse(text) as Manifest)
      .catch(() => undefined);
  }

  private async isIntact(name: string): Promise<boolean> {
    const manifest = await this.manifest(name);
    if (!manifest) return false;
    const sizes = Object.entries(manifest.files).map(async ([file, size]) => {
      const found = await stat(join(this.folder, name, file)).catch(() => undefined);
      return found?.size === size;
    });
    return !(await Promise.all(sizes)).includes(false);
  }

  private async remove(name: string): Promise<void> {
    const trash = join(this.folder, ownName("tmp"));
    await rename(join(this.folder, name), trash).catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rm(trash, { recursive: true, force: true });
  }

  /** Removes an entry unless another process began to use it at this very moment. */
  private async drop(name: string): Promise<void> {
    const aside = join(this.folder, ownName("tmp"));
    await rename(join(this.folder, name), aside).catch(() => undefined);
    if ((await this.leases.inUse()).has(name)) await rename(aside, join(this.folder, name)).catch(() => undefined);
    await rm(aside, { recursive: true, force: true });
  }

  /** Drops what is longest unused until the rest fits, and what dead processes left half made. */
  private async evict(): Promise<void> {
    const used = await this.leases.inUse();
    const entries: { name: string; bytes: number; lastUse: number }[] = [];
    for (const name of await readdir(this.folder)) {
      if (name.startsWith("tmp.") && !(await ownerLives(this.folder, name))) {
        await rm(join(this.folder, name), { recursive: true, force: true });
        continue;
      }
      const manifest = await this.manifest(name);
      const found = await stat(join(this.folder, name)).catch(() => undefined);
      if (!manifest || !found) continue;
      const bytes = Object.values(manifest.files).reduce((sum, size) => sum + size, 0);
      entries.push({ name, bytes, lastUse: found.mtimeMs });
    }
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { name, bytes } of entries.sort((a, b) => a.lastUse - b.lastUse)) {
      if (total <= this.maxBytes) return;
      if (used.has(name)) continue;
      await this.drop(name);
      total -= bytes;
    }
  }
}

async function syncedSize(path: string): Promise<number> {
  const file = await open(path, "r+");
  try {
    await file.sync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}
