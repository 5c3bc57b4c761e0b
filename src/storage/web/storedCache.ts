import { StorageError, sha256 } from "../../core/index.ts";
import type { CachedFile, FileCache, FileKey } from "../fileCache.ts";
import { fileSource } from "./chosen.ts";
import { isFull } from "./errors.ts";
import { filesIn, findFile, grantedBytes, openStorage, removeFile, type StoredFolder, writeFile } from "./opfs.ts";

export interface StoredCacheOptions {
  /** Its folder in the browser's storage. Default "cache". */
  readonly folder?: string;
  /**
   * If files take more, the least recently used are dropped. Default: half of what the browser grants this page, but at most
   * 20 GB.
   */
  readonly maxBytes?: number;
}

/** A file as it is stored. */
export interface StoredItem {
  /** The key's kind. */
  readonly kind: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly lastUse: number;
}

/** A use is noted again after this time. */
const USED_MS = 60_000;
/** A file of no bytes is being written, or was left by a tab that died. */
const UNFINISHED_MS = 3_600_000;

/** The key's kind and hash, then when it was written, then the ending: content, or a mark of its last use. */
const NAME = /^(([\w-]+)-[0-9a-f]{32})\.(?:(\w+)\.data|used)$/;

const entryOf = ({ kind, of, name }: FileKey): string =>
  `${kind}-${sha256(JSON.stringify([kind, of, name])).slice(0, 32)}`;

/** Sorts by time; its random end tells files of two tabs apart. */
const newStamp = (): string =>
  Date.now().toString(36).padStart(10, "0") +
  Math.floor(Math.random() * 36 ** 6)
    .toString(36)
    .padStart(6, "0");

interface Found {
  readonly entry: string;
  readonly kind: string;
  readonly file: File;
  readonly isMark: boolean;
}

/**
 * A cache in the browser's storage that all tabs of a site share. A file appears complete or not at all. A file in use is
 * held by a lock of the browser, which ends with its tab, and is not dropped. If the storage is full, the least recently used
 * files are dropped once, for a second try.
 */
export class StoredCache implements FileCache {
  private readonly name: string;
  private readonly maxBytes: number | undefined;

  constructor({ folder = "cache", maxBytes }: StoredCacheOptions = {}) {
    this.name = folder;
    this.maxBytes = maxBytes;
  }

  async open(key: FileKey): Promise<CachedFile | undefined> {
    const folder = await openStorage(this.name);
    const entry = entryOf(key);
    // The newest may be replaced between finding and holding it.
    for (let tries = 0; tries < 5; tries++) {
      const newest = (await this.scan(folder)).filter((found) => found.entry === entry && !found.isMark).at(-1);
      if (!newest) return undefined;
      const release = await this.hold(newest.file.name);
      const file = await findFile(folder, newest.file.name);
      if (file) {
        await this.noteUse(folder, entry);
        return { source: fileSource(file, `${this.name}/${key.name}`), release };
      }
      await release();
    }
    return undefined;
  }

  async write(key: FileKey, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    const folder = await openStorage(this.name);
    const entry = entryOf(key);
    const name = `${entry}.${newStamp()}.data`;
    const size = await writeFile(folder, name, content).catch(async (error: unknown) => {
      // Pieces that were read cannot be read again, so only whole arrays get a second try.
      if (!(error instanceof StorageError && isFull(error.cause)) || !(content instanceof Uint8Array)) throw error;
      const total = (await this.items()).reduce((sum, { bytes }) => sum + bytes, 0);
      await this.shrink(Math.max(0, Math.min(total / 2, total - 2 * content.length)));
      return writeFile(folder, name, content);
    });
    await this.noteUse(folder, entry);
    for (const { file, entry: other, isMark } of await this.scan(folder)) {
      if (other === entry && !isMark && file.name < name) await this.drop(folder, file.name);
    }
    if (size > 0) await this.shrink(await this.limit());
  }

  /** Lists all files, the least recently used first. Throws StorageError. */
  async items(): Promise<StoredItem[]> {
    return (await this.stored(await openStorage(this.name))).map(({ kind, file, lastUse }) => ({
      kind,
      bytes: file.size,
      lastUse,
    }));
  }

  /** Drops files that are not in use, the least recently used first, until the others take at most `maxBytes`. Throws StorageError. */
  async shrink(maxBytes: number): Promise<void> {
    const folder = await openStorage(this.name);
    await navigator.locks.request(`baret cache ${this.name}`, async () => {
      const stored = await this.stored(folder);
      let total = stored.reduce((sum, { file }) => sum + file.size, 0);
      for (const { entry, file } of stored) {
        if (total <= maxBytes) break;
        if (!(await this.drop(folder, file.name))) continue;
        await removeFile(folder, `${entry}.used`);
        total -= file.size;
      }
    });
  }

  /** Bytes that the files may take. */
  async limit(): Promise<number> {
    return this.maxBytes ?? grantedBytes();
  }

  /** Files of the cache, by name: those of an entry from the oldest to the newest. Removes what dead tabs left. */
  private async scan(folder: StoredFolder): Promise<Found[]> {
    const found: Found[] = [];
    for await (const file of filesIn(folder)) {
      const [, entry, kind, stamp] = NAME.exec(file.name) ?? [];
      if (entry === undefined) continue;
      const isMark = stamp === undefined;
      if (isMark || file.size > 0) found.push({ entry, kind, file, isMark });
      else if (file.lastModified < Date.now() - UNFINISHED_MS) await removeFile(folder, file.name);
    }
    return found.sort((a, b) => (a.file.name < b.file.name ? -1 : 1));
  }

  private async stored(folder: StoredFolder): Promise<(Found & { lastUse: number })[]> {
    const found = await this.scan(folder);
    const marks = new Map(found.filter(({ isMark }) => isMark).map(({ entry, file }) => [entry, file.lastModified]));
    return found
      .filter(({ isMark }) => !isMark)
      .map((one) => ({ ...one, lastUse: Math.max(one.file.lastModified, marks.get(one.entry) ?? 0) }))
      .sort((a, b) => a.lastUse - b.lastUse);
  }

  /** The time of a file changes only when it is written, so a file beside it has the time of the last use. */
  private async noteUse(folder: StoredFolder, entry: string): Promise<void> {
    const mark = `${entry}.used`;
    const known = await findFile(folder, mark);
    if (known && known.lastModified > Date.now() - USED_MS) return;
    // If there is no room for it, the file counts as used when it was written.
    await writeFile(folder, mark, "1").catch(() => undefined);
  }

  private lockName(file: string): string {
    return `baret cache ${this.name}/${file}`;
  }

  /** Marks a file as in use. Returns the function that ends this. */
  private async hold(file: string): Promise<() => Promise<void>> {
    let release = (): void => undefined;
    const used = new Promise<void>((resolve) => {
      release = resolve;
    });
    await new Promise<void>((held, refuse) => {
      navigator.locks
        .request(this.lockName(file), { mode: "shared" }, () => {
          held();
          return used;
        })
        .catch(refuse);
    });
    return async () => release();
  }

  /** Removes a file, unless it is in use. Returns whether it is gone. */
  private drop(folder: StoredFolder, file: string): Promise<boolean> {
    return navigator.locks.request(this.lockName(file), { ifAvailable: true }, async (lock) => {
      if (!lock) return false;
      await removeFile(folder, file);
      return true;
    });
  }
}
