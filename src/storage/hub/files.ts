import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { z } from "zod";
import { HubError, throwIfCancelled, type Work } from "../../core/index.ts";
import { hashFile } from "../hash.ts";

/** One file of a repository, as the hub describes it. */
export interface HubFile {
  /** From the repository's root, separated by "/". */
  readonly path: string;
  readonly size: number;
  /** Hexadecimal digits. */
  readonly digest: string;
  /** What `digest` is: SHA-256 of a large file (Git LFS), the name that git gives to the content of a small one. */
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
 * A line of the hub's listing. Throws HubError where it is not one, or where its path would lead out of a folder that it
 * is written into: a hub, or who wrote the repository, is not to say what else on this disk is written.
 */
export function parseEntry(entry: unknown, where: string): HubFile {
  const parsed = schema.safeParse(entry);
  if (!parsed.success) {
    throw new HubError("the list of files is not one", { where, found: JSON.stringify(entry).slice(0, 200) });
  }
  const { path, size, oid, lfs } = parsed.data;
  if (leadsOut(path)) {
    throw new HubError("this repository has a file whose path leads out of its folder", {
      where,
      found: JSON.stringify(path),
      advice: "Nothing of it was fetched. Do not trust where this comes from.",
    });
  }
  return lfs
    ? { path, size: lfs.size, digest: lfs.oid, algorithm: "sha256" }
    : { path, size, digest: oid, algorithm: "git" };
}

/** By the rules of any system: "..", an absolute path, a drive, a share. */
function leadsOut(path: string): boolean {
  const parts = path.split(/[/\\]/);
  return path.includes("\0") || parts.some((part) => part === ".." || part === "" || /^[A-Za-z]:/.test(part));
}

/** A hash that comes to `digest` when it is fed the file's content. */
export function contentHash({ algorithm, size }: HubFile): Hash {
  return algorithm === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

/** Whether the file at `path` is there and is what the hub says. `hashes`: where hashes of large files are remembered. */
export async function isIntact(path: string, file: HubFile, hashes: string, work: Work): Promise<boolean> {
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
