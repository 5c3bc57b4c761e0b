import { createHash } from "node:crypto";
import { mkdir, open, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { CancelledError, StorageError, type Work } from "../core/index.ts";
import { storageError, writeFileAtomic } from "./atomic.ts";
import { cacheFolder } from "./places.ts";

/** What tells one state of a file from another without reading it. */
export interface FileIdentity {
  /** All links resolved. */
  path: string;
  size: number;
  /** Nanoseconds since 1970, as digits. */
  modified: string;
  inode: string;
}

/** Throws StorageError where there is no such file. */
export async function fileIdentity(path: string): Promise<FileIdentity> {
  try {
    const real = await realpath(path);
    const { size, mtimeNs, ino } = await stat(real, { bigint: true });
    return { path: real, size: Number(size), modified: `${mtimeNs}`, inode: `${ino}` };
  } catch (cause) {
    throw storageError("cannot be read", path, cause);
  }
}

export const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

export interface HashOptions extends Work {
  /** Where results are remembered. Default: the cache folder. */
  folder?: string;
}

const sameIdentity = (a: FileIdentity, b: FileIdentity): boolean =>
  a.path === b.path && a.size === b.size && a.modified === b.modified && a.inode === b.inode;

/**
 * SHA-256 of a file of any size, as hexadecimal digits. Remembered for as long as path, size, time of change and inode
 * stay what they were, so that a checkpoint of some gigabytes is read once. Throws StorageError where the file cannot
 * be read, or changes while it is.
 */
export async function hashFile(path: string, options: HashOptions = {}): Promise<string> {
  const { folder = join(cacheFolder(), "hashes"), signal, onProgress } = options;
  const identity = await fileIdentity(path);
  const memory = join(folder, `${sha256(identity.path).slice(0, 32)}.json`);
  const known = await readFile(memory, "utf8")
    .then((text) => JSON.parse(text) as FileIdentity & { sha256: string })
    .catch(() => undefined);
  if (known && sameIdentity(known, identity) && /^[0-9a-f]{64}$/.test(known.sha256)) return known.sha256;

  const hash = createHash("sha256");
  try {
    const file = await open(identity.path);
    let done = 0;
    for await (const chunk of file.createReadStream({ highWaterMark: 1 << 20 })) {
      if (signal?.aborted) throw new CancelledError(`hashing ${path}`);
      hash.update(chunk);
      done += chunk.length;
      onProgress?.({ phase: "hash", done, total: identity.size, unit: "bytes" });
    }
  } catch (cause) {
    throw storageError("cannot be read", path, cause);
  }
  if (!sameIdentity(identity, await fileIdentity(path))) {
    throw new StorageError("changed while it was read", { where: path, advice: "Try again when it is complete." });
  }
  const digest = hash.digest("hex");
  try {
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(memory, JSON.stringify({ ...identity, sha256: digest }));
  } catch {
    // Without a place to remember it, the hash is right all the same.
  }
  return digest;
}
