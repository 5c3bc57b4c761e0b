import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "../../core/index.ts";
import { cacheFolder, openLocalFile, requireFolder, writeFileAtomic } from "../../storage/node.ts";
import type { PrepareWork } from "../prepare.ts";
import { decodePrepared, encodePrepared, isComplete, type Prepared } from "../prepared/index.ts";

export interface PreparedCacheOptions {
  /** Default: "prepared" in the user's cache folder. */
  folder?: string;
  /** Beyond this, files are dropped, longest unused first. Default 1 GB. */
  maxBytes?: number;
  /** An unfinished value is written at most this often, in milliseconds. Default 2000. */
  everyMs?: number;
}

const ending = ".prepared.safetensors";

/**
 * Keeps prepared photos that nobody saved, so that an edit that was stopped goes on where it was, and the next edit of the
 * same photo begins at once. A cache that cannot be read or written only costs time, so that is no error.
 */
export class PreparedCache {
  private readonly folder: string;
  private readonly maxBytes: number;
  private readonly everyMs: number;
  private written = 0;
  /** A value that was kept too soon after the last one to be written yet. */
  private waiting?: { name: string; bytes: Uint8Array };

  constructor({ folder = join(cacheFolder(), "prepared"), maxBytes = 1e9, everyMs = 2000 }: PreparedCacheOptions = {}) {
    this.folder = folder;
    this.maxBytes = maxBytes;
    this.everyMs = everyMs;
  }

  /** Runs `prepare` from what is kept under `name`, and keeps what it makes after every step. */
  async during(name: string, prepare: (work: PrepareWork) => Promise<Prepared>): Promise<Prepared> {
    const resume = await this.take(name);
    try {
      return await prepare({ resume, onStep: (prepared) => this.keep(name, prepared) });
    } finally {
      await this.flush();
    }
  }

  /** The value of a name, finished or not. */
  async take(name: string): Promise<Prepared | undefined> {
    const path = this.pathOf(name);
    try {
      const prepared = await decodePrepared(await openLocalFile(path));
      await utimes(path, new Date(), new Date());
      return prepared;
    } catch {
      return undefined;
    }
  }

  /** Keeps a value as it is now: writes it at once or, if the last was written a moment ago, by `flush`. */
  async keep(name: string, prepared: Prepared): Promise<void> {
    this.waiting = { name, bytes: encodePrepared(prepared) };
    if (!isComplete(prepared) && Date.now() < this.written + this.everyMs) return;
    await this.flush();
    if (isComplete(prepared)) await passOver(() => this.tidy());
  }

  /** Writes what still waits. */
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
    // Files that other processes are writing take room too.
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

/** Runs `work`; failures of the disk are ignored. */
async function passOver(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StorageError || (error as NodeJS.ErrnoException).code)) throw error;
  }
}
