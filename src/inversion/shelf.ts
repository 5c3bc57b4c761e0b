import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "../core/index.ts";
import { cacheFolder, openLocalFile, writeFileAtomic } from "../storage/node.ts";
import { decodeInversion, encodeInversion } from "./file.ts";
import { type Inversion, isComplete } from "./inversion.ts";

export interface ShelfOptions {
  folder?: string;
  /** Beyond this the inversions that were not used for longest go. */
  maxBytes?: number;
  /** An unfinished inversion is saved no more often than this. */
  everyMs?: number;
}

const ending = ".inversion.safetensors";

/**
 * Inversions that nobody asked to keep, kept all the same: so an edit that was stopped goes on where it was, and the
 * next edit of the same photo begins at once. What goes wrong with it only costs time, so it is passed over.
 */
export class Shelf {
  private readonly folder: string;
  private readonly maxBytes: number;
  private readonly everyMs: number;
  private saved = 0;

  constructor({ folder = join(cacheFolder(), "inversions"), maxBytes = 1e9, everyMs = 2000 }: ShelfOptions = {}) {
    this.folder = folder;
    this.maxBytes = maxBytes;
    this.everyMs = everyMs;
  }

  /** The inversion of that name, finished or not. */
  async take(name: string): Promise<Inversion | undefined> {
    const path = this.pathOf(name);
    try {
      const inversion = await decodeInversion(await openLocalFile(path));
      await utimes(path, new Date(), new Date());
      return inversion;
    } catch {
      return undefined;
    }
  }

  /** Saves an inversion, now or at one of its next steps. */
  async keep(name: string, inversion: Inversion): Promise<void> {
    if (!isComplete(inversion) && Date.now() < this.saved + this.everyMs) return;
    try {
      await mkdir(this.folder, { recursive: true });
      await writeFileAtomic(this.pathOf(name), encodeInversion(inversion));
      if (isComplete(inversion)) await this.tidy();
    } catch (error) {
      if (!(error instanceof StorageError || (error as NodeJS.ErrnoException).code)) throw error;
    }
    this.saved = Date.now();
  }

  private pathOf(name: string): string {
    return join(this.folder, `${name}${ending}`);
  }

  private async tidy(): Promise<void> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith(ending));
    const files = await Promise.all(names.map(async (name) => ({ name, ...(await stat(join(this.folder, name))) })));
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of files.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (total <= this.maxBytes) return;
      await rm(join(this.folder, name), { force: true });
      total -= size;
    }
  }
}
