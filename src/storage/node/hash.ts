import { createHash } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CancelledError, StorageError, sha256, type Work } from "../../core/index.ts";
import { writeFileAtomic } from "./atomic.ts";
import { cacheFolder } from "./cacheFolder.ts";
import { makeFolder } from "./folders.ts";
import { openRegular, readRegular } from "./regular.ts";
import { storageError } from "./systemErrors.ts";

/** Tells one state of a file from another without reading it. */
export interface FileIdentity {
  /** Without links. */
  path: string;
  size: number;
  /** Nanoseconds since 1970, in decimal. */
  modified: string;
  inode: string;
}

/** Returns the identity of a file as it is now. Throws StorageError if it does not exist. */
export async function fileIdentity(path: string): Promise<FileIdentity> {
  try {
    const real = await realpath(path);
    const { size, mtimeNs, ino } = await stat(real, { bigint: true });
    return { path: real, size: Number(size), modified: `${mtimeNs}`, inode: `${ino}` };
  } catch (cause) {
    throw storageError("cannot be read", path, cause);
  }
}

const schema = z.strictObject({
  path: z.string(),
  size: z.number(),
  modified: z.string(),
  inode: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const MAX_STORED_BYTES = 1 << 16;

/** Reads the hash that an earlier call stored. Undefined if there is none or if it is damaged. */
async function readStored(path: string): Promise<z.infer<typeof schema> | undefined> {
  try {
    return schema.parse(JSON.parse((await readRegular(path, MAX_STORED_BYTES)).toString()));
  } catch {
    return undefined;
  }
}

export interface HashOptions extends Work {
  /** Folder that stores results. Default: in the cache folder. */
  folder?: string;
}

const sameIdentity = (a: FileIdentity, b: FileIdentity): boolean =>
  a.path === b.path && a.size === b.size && a.modified === b.modified && a.inode === b.inode;

/**
 * Returns the SHA-256 of a file, in hexadecimal. The result is stored and used again as long as path, size, time of change and
 * inode stay the same, so that a checkpoint of gigabytes is read once. Throws StorageError if the file cannot be read or changes
 * while it is read.
 */
export async function hashFile(path: string, options: HashOptions = {}): Promise<string> {
  const { folder = join(cacheFolder(), "hashes"), signal, onProgress } = options;
  const identity = await fileIdentity(path);
  const stored = join(folder, `${sha256(identity.path).slice(0, 32)}.json`);
  const known = await readStored(stored);
  if (known && sameIdentity(known, identity)) return known.sha256;

  const hash = createHash("sha256");
  try {
    const { file } = await openRegular(identity.path);
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
    throw new StorageError("the file changed while it was read", {
      where: path,
      advice: "Try again when it is complete.",
    });
  }
  const digest = hash.digest("hex");
  try {
    await makeFolder(folder);
    await writeFileAtomic(stored, JSON.stringify({ ...identity, sha256: digest }));
  } catch {
    // If the hash cannot be stored, it is computed again next time.
  }
  return digest;
}
