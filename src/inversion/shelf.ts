import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "../core/index.ts";
import { cacheFolder, openLocalFile, requireFolder, writeFileAtomic } from "../storage/node.ts";
import { decodeInversion, encodeInversion } from "./file.ts";
import { type Inversion, isComplete } from "./inversion.ts";

export interface ShelfOptions {
  folder?: string;
  /** Beyond this the inversions that were not used for longest go. */
  maxBytes?: number;
  /** An unfinished inversion is written no more often than this, until `flush`. */
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
  private written = 0;
  /** What was kept too soon after the last to be written yet. */
  private waiting?: { name: string; bytes: Uint8Array };

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

  /** Takes an inversion as it is now, and writes it at once or, where the last was written a moment ago, by `flush`. */
  async keep(name: string, inversion: Inversion): Promise<void> {
    this.waiting = { name, bytes: encodeInversion(inversion) };
    if (!isComplete(inversion) && Date.now() < this.written + this.everyMs) return;
    await this.flush();
    if (isComplete(inversion)) await passOver(() => this.tidy());
  }

  /** Writes what still waits: for when work stops before its end. */
  async flush(): Promise<void> {
    if (!this.waiting) return;
    const { name, bytes } = this.waiting;
    this.waiting = undefined;
    await passOver(async () => {
      await requireFolder(this.folder);
      await writeFileAtomic(this.pathOf(name), bytes);
    });
    this.written = Date.now();
  }

  private pathOf(name: string): string {
    return join(this.folder, `${name}${ending}`);
  }

  private async tidy(): Promise<void> {
    // Also what other processes are writing takes room.
    const names = await readdir(this.folder);
    const files = await Promise.all(names.map(async (name) => ({ name, ...(await stat(join(this.folder, name))) })));
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of files.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (total <= this.maxBytes) return;
      if (!name.endsWith(ending)) continue;
      await rm(join(this.folder, name), { force: true });
      total -= size;
    }
  }
}

async function passOver(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StorageError || (error as NodeJS.ErrnoException).code)) throw error;
  }
}
