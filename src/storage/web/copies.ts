import { formatBytes } from "../../core/index.ts";
import { NoRoomError } from "./errors.ts";
import { filesIn, freeBytes, grantedBytes, removeFile, type StoredFolder, writeFile } from "./opfs.ts";

// Which kept copies stay: those in use, and the most recently used ones within a limit.

/** A file of each copy whose time is that of the last use. */
export const USED = "used";

/** Notes that a copy is used. Without room for it, the copy counts as used when it was stored. */
export const noteUse = async (copy: StoredFolder): Promise<void> => {
  await writeFile(copy, USED, "1").catch(() => undefined);
};

const lockName = (name: string): string => `baret use ${name}`;
/** Names of the copies that this tab has opened. */
const opened = new Map<string, Promise<void>>();

/** Marks a copy as in use until this tab, or this Worker, ends. */
export function inUse(name: string): Promise<void> {
  const marked =
    opened.get(name) ??
    new Promise<void>((held, refuse) => {
      const forever = (): Promise<never> => {
        held();
        return new Promise(() => undefined);
      };
      navigator.locks.request(lockName(name), { mode: "shared" }, forever).catch(refuse);
    });
  opened.set(name, marked);
  return marked;
}

interface Copy {
  readonly name: string;
  readonly bytes: number;
  readonly lastUse: number;
}

async function copiesIn(kept: StoredFolder): Promise<Copy[]> {
  const copies: Copy[] = [];
  for await (const handle of kept.values()) {
    if (handle.kind !== "directory") continue;
    let [bytes, lastUse] = [0, 0];
    for await (const { size, lastModified } of filesIn(handle)) {
      bytes += size;
      lastUse = Math.max(lastUse, lastModified);
    }
    copies.push({ name: handle.name, bytes, lastUse });
  }
  return copies.sort((a, b) => a.lastUse - b.lastUse);
}

export interface NewCopy {
  /** Its name. */
  readonly except: string;
  /** Its size. */
  readonly bytes: number;
  /** Bytes that are not stored yet. */
  readonly missing: number;
  /** All copies together may take so many bytes. */
  readonly maxBytes?: number;
}

/**
 * Drops copies, the least recently used first, until a new one keeps to the limit and fits into the storage. A copy in use stays.
 * Throws NoRoomError if the new one alone is beyond the limit.
 */
export async function dropCopies(kept: StoredFolder, { except, bytes, missing, maxBytes }: NewCopy): Promise<void> {
  const limit = maxBytes ?? (await grantedBytes());
  if (bytes > limit) {
    throw new NoRoomError("the copy is larger than the limit for kept copies", {
      where: except,
      found: formatBytes(bytes),
      expected: `at most ${formatBytes(limit)}`,
      advice: maxBytes === undefined ? "Free room on this disk." : "Raise the limit.",
    });
  }
  const others = (await copiesIn(kept)).filter(({ name }) => name !== except);
  let total = others.reduce((all, copy) => all + copy.bytes, bytes);
  let free = await freeBytes();
  for (const copy of others) {
    if (total <= limit && missing <= free) return;
    const isDropped = await navigator.locks.request(lockName(copy.name), { ifAvailable: true }, async (lock) => {
      if (lock) await removeFile(kept, copy.name);
      return lock !== null;
    });
    if (!isDropped) continue;
    total -= copy.bytes;
    // Browsers tell the freed room late.
    free += copy.bytes;
  }
}
