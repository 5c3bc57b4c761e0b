import { createHash } from "node:crypto";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "./atomic.ts";
import type { CacheKey } from "./cache.ts";
import { codeOf, isShortage } from "./failures.ts";
import { openRegular, readRegular } from "./regular.ts";

/** Lists an entry's files with their checksums, so that a damaged entry is noticed. Written last. */
const manifestName = "entry.json";
const MAX_MANIFEST_BYTES = 4 << 20;

const checksum = z.string().regex(/^[0-9a-f]{64}$/);
const fileRecord = z.strictObject({
  size: z.int().nonnegative(),
  /** SHA-256 of the whole content. */
  sha256: checksum,
  /** SHA-256 of blocks that are spread over the file. */
  sample: checksum,
  /** Nanoseconds since 1970 and inode when the content was last checked whole: as long as both stay, it was not written. */
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

/** Called between portions of a long read; throws if the work is not wanted any more. */
type Check = () => void;
const wanted: Check = () => undefined;

/** What stat says of a file, as a record keeps it. */
async function stateOf(path: string): Promise<Pick<FileRecord, "size" | "modified" | "inode">> {
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  return { size: Number(size), modified: `${mtimeNs}`, inode: `${ino}` };
}

/** SHA-256 of the parts of a file that begin at `offsets`, each `length` bytes long. */
async function hashParts(path: string, length: number, offsets: Iterable<number>, check: Check): Promise<string> {
  const hash = createHash("sha256");
  const { file } = await openRegular(path);
  try {
    const part = Buffer.alloc(length);
    for (const offset of offsets) {
      check();
      const { bytesRead } = await file.read(part, 0, length, offset);
      hash.update(part.subarray(0, bytesRead));
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
  hashParts(path, PORTION, offsetsOf(size, PORTION), check);

const sampleHash = (path: string, size: number): Promise<string> =>
  hashParts(path, BLOCK, offsetsOf(size, BLOCK * Math.ceil(size / (BLOCK * BLOCKS))), wanted);

async function recordOf(path: string): Promise<FileRecord> {
  const state = await stateOf(path);
  return { ...state, sha256: await wholeHash(path, state.size, wanted), sample: await sampleHash(path, state.size) };
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r+");
  await file.sync().finally(() => file.close());
}

/** Makes every file of an entry last through a power cut, and notes what each of them holds. */
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

/** The manifest of an entry. Undefined if there is no entry, or if its manifest is damaged. */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    return schema.parse(JSON.parse((await readRegular(join(folder, manifestName), MAX_MANIFEST_BYTES)).toString()));
  } catch (error) {
    if (isShortage(error)) throw error;
    return undefined;
  }
}

/** Bytes of an entry. */
export const sizeOfEntry = ({ files }: Manifest): number =>
  Object.values(files).reduce((sum, { size }) => sum + size, 0);

/**
 * Whether an entry holds what it held when it was made. Cheap as a rule: a file that was not written since it was last
 * checked is only sampled. Others (copied, restored, changed by somebody) are read whole, and are then known again.
 */
export async function isIntact(folder: string, check: Check = wanted): Promise<boolean> {
  const manifest = await readManifest(folder);
  if (!manifest) return false;
  let moved = false;
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
      moved = true;
    }
  }
  // Without a place to note it, the next use reads the files again.
  if (moved) await save(folder, manifest).catch(() => undefined);
  return true;
}
