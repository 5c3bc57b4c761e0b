import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { z } from "zod";
import { HubError, throwIfCancelled, type Work } from "../../../core/index.ts";
import { hashFile } from "../hash.ts";

/** A file of a repository, as the hub lists it. */
export interface HubFile {
  /** Relative to the repository's root, separated by "/". */
  readonly path: string;
  readonly size: number;
  /** Hexadecimal digits. */
  readonly digest: string;
  /** Kind of `digest`: SHA-256 for a large file (Git LFS), git's blob id for a small one. */
  readonly algorithm: "sha256" | "git";
}

export const totalSize = (files: Iterable<{ readonly size: number }>): number =>
  [...files].reduce((bytes, { size }) => bytes + size, 0);

const size = z.int().nonnegative();
const schema = z.object({
  path: z.string(),
  size,
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size }).nullish(),
});

/**
 * Checks an entry of the hub's file list. Throws HubError if it is malformed, or if its path would leave the folder that
 * files are written to: neither the hub nor the repository's author may choose other files to overwrite.
 */
export function parseEntry(entry: unknown, where: string): HubFile {
  const parsed = schema.safeParse(entry);
  if (!parsed.success) {
    throw new HubError("the list of files is malformed", { where, found: JSON.stringify(entry).slice(0, 200) });
  }
  const { path, size, oid, lfs } = parsed.data;
  if (leavesFolder(path)) {
    throw new HubError("a path in this repository leaves its folder", {
      where,
      found: JSON.stringify(path),
      advice: "Nothing was downloaded. Do not trust this repository.",
    });
  }
  return lfs
    ? { path, size: lfs.size, digest: lfs.oid, algorithm: "sha256" }
    : { path, size, digest: oid, algorithm: "git" };
}

/** True for "..", an absolute path, a drive or a network share, on any system. */
function leavesFolder(path: string): boolean {
  const parts = path.split(/[/\\]/);
  return path.includes("\0") || parts.some((part) => part === ".." || part === "" || /^[A-Za-z]:/.test(part));
}

/** Returns a hash that equals `digest` if it is fed the file's content. */
export function contentHash({ algorithm, size }: HubFile): Hash {
  return algorithm === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

/** True if the file at `path` has the content that the hub lists. hashes: folder that remembers hashes of large files. */
export async function matchesHub(path: string, file: HubFile, hashes: string, work: Work): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile() || found.size !== file.size) return false;
  if (file.algorithm === "sha256") return (await hashFile(path, { folder: hashes, ...work })) === file.digest;
  const hash = contentHash(file);
  for await (const chunk of createReadStream(path)) {
    throwIfCancelled(work.signal, "the download");
    hash.update(chunk);
  }
  return hash.digest("hex") === file.digest;
}
