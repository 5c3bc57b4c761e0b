import { createHash } from "node:crypto";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { CacheKey } from "../cache.ts";
import { writeFileAtomic } from "./atomic.ts";
import { openRegular, readRegular } from "./regular.ts";
import { codeOf, isTooManyFiles } from "./systemErrors.ts";

/** Lists the checksums of an entry's files. Written last. */
const manifestName = "entry.json";
const MAX_MANIFEST_BYTES = 4 << 20;

const checksum = z.string().regex(/^[0-9a-f]{64}$/);
const fileRecord = z.strictObject({
  size: z.int().nonnegative(),
  /** SHA-256 of the whole content. */
  sha256: checksum,
  /** SHA-256 of blocks spread over the file. */
  sample: checksum,
  /** Time of change (nanoseconds since 1970) and inode when the whole content was last verified. If both still hold, the file was not written. */
  modified: z.string(),
  inode: z.string(),
});
type FileRecord = z.infer<typeof fileRecord>;

const schema = z.strictObject({
  key: z.strictObject({ kind: z.string(), of: z.unknown() }),
  files: z.record(z.string().regex(/^[^/\\]+$/), fileRecord),
});
export type Manifest = z.infer<typeof schema>;

const BLOCK = 4096;
const BLOCKS = 64;
const PORTION = 4 << 20;

/** Called between the pieces of a long read. Throws if the caller has cancelled. */
type Check = () => void;
const noCheck: Check = () => undefined;

/** Size, time of change and inode of a file, as a record stores them. */
async function stateOf(path: string): Promise<Pick<FileRecord, "size" | "modified" | "inode">> {
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  return { size: Number(size), modified: `${mtimeNs}`, inode: `${ino}` };
}

/** Returns the SHA-256 of the blocks of a file that begin at `offsets`, each `length` bytes long. */
async function hashBlocks(path: string, length: number, offsets: Iterable<number>, check: Check): Promise<string> {
  const hash = createHash("sha256");
  const { file } = await openRegular(path);
  try {
    const block = Buffer.alloc(length);
    for (const offset of offsets) {
      check();
      const { bytesRead } = await file.read(block, 0, length, offset);
      hash.update(block.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

function* offsetsOf(size: number, step: number): Generator<number> {
  for (let at = 0; at < size; at += step) yield at;
}

const wholeHash = (path: string, size: number, check: Check): Promise<string> =>
  hashBlocks(path, PORTION, offsetsOf(size, PORTION), check);

const sampleHash = (path: string, size: number): Promise<string> =>
  hashBlocks(path, BLOCK, offsetsOf(size, BLOCK * Math.ceil(size / (BLOCK * BLOCKS))), noCheck);

async function recordOf(path: string): Promise<FileRecord> {
  const state = await stateOf(path);
  return { ...state, sha256: await wholeHash(path, state.size, noCheck), sample: await sampleHash(path, state.size) };
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r+");
  await file.sync().finally(() => file.close());
}

/** Writes all files of an entry to the disk, and their checksums into its manifest. */
export async function writeManifest(folder: string, key: CacheKey): Promise<void> {
  const files: Manifest["files"] = {};
  for (const name of await readdir(folder)) {
    await sync(join(folder, name));
    files[name] = await recordOf(join(folder, name));
  }
  await save(folder, { key, files });
}

const save = (folder: string, manifest: Manifest): Promise<void> =>
  writeFileAtomic(join(folder, manifestName), JSON.stringify(manifest, undefined, 1));

/** Reads the manifest of an entry. Undefined if there is no entry or if its manifest is damaged. */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    return schema.parse(JSON.parse((await readRegular(join(folder, manifestName), MAX_MANIFEST_BYTES)).toString()));
  } catch (error) {
    if (isTooManyFiles(error)) throw error;
    return undefined;
  }
}

/** Returns the size of an entry in bytes. */
export const sizeOfEntry = ({ files }: Manifest): number =>
  Object.values(files).reduce((sum, { size }) => sum + size, 0);

/**
 * True if an entry still has the content it was made with. A file that was not written since its last check is only
 * sampled, which is cheap. Other files (copied, restored, changed) are read whole, and their new state is stored.
 */
export async function isIntact(folder: string, check: Check = noCheck): Promise<boolean> {
  const manifest = await readManifest(folder);
  if (!manifest) return false;
  let changed = false;
  for (const [name, known] of Object.entries(manifest.files)) {
    const path = join(folder, name);
    const state = await stateOf(path).catch((error) => {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    });
    if (state?.size !== known.size) return false;
    if (state.modified === known.modified && state.inode === known.inode) {
      if ((await sampleHash(path, known.size)) !== known.sample) return false;
    } else {
      if ((await wholeHash(path, known.size, check)) !== known.sha256) return false;
      Object.assign(known, state);
      changed = true;
    }
  }
  // If the state cannot be stored, the next use reads the files again.
  if (changed) await save(folder, manifest).catch(() => undefined);
  return true;
}
