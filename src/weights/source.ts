import { CheckpointError } from "../core/index.ts";
import { refuseFailedDownload } from "./fileKind.ts";

/** Bytes that can be read at any place: a file on disk, a Blob in a browser, an array in memory. */
export interface ByteSource {
  /** How errors call it: the path as the user knows it. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Where native code can map it: the real path on disk, all links resolved. Absent where there is none. */
  readonly path?: string;
  /** Exactly `length` bytes from `offset`. Rejects where the source has fewer. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: "file" | "folder";
}

/** A folder of files. Paths are relative to it and separated by "/". */
export interface Folder {
  /** How errors call it. */
  readonly name: string;
  /** What lies directly in `path`, sorted by name. Empty where there is no such folder. */
  list(path?: string): Promise<readonly FolderEntry[]>;
  /** Rejects with CheckpointError where there is no such file, or where it may not be read. */
  open(path: string): Promise<ByteSource>;
}

/** `bytes` as a source. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => {
      if (offset < 0 || length < 0 || offset + length > bytes.length) {
        throw new RangeError(`${name}: bytes ${offset}..${offset + length} of ${bytes.length}`);
      }
      return bytes.subarray(offset, offset + length);
    },
  };
}

/**
 * Reads a whole file. Throws CheckpointError if it is a failed download, or, before it reads any, if it has more than
 * `maxBytes`.
 */
export async function readWhole(source: ByteSource, maxBytes: number): Promise<Uint8Array> {
  if (source.size > maxBytes) {
    throw new CheckpointError("too long for what it should be", {
      where: source.name,
      found: `${source.size} bytes`,
      expected: `at most ${maxBytes}`,
    });
  }
  const bytes = await source.read(0, source.size);
  refuseFailedDownload(bytes, source.name);
  return bytes;
}

/** Names of the files that lie directly in a folder. */
export async function filesOf(folder: Folder): Promise<string[]> {
  return (await folder.list()).filter((e) => e.kind === "file").map((e) => e.name);
}

/** The folder `path` of a folder. */
export const subfolder = (folder: Folder, path: string): Folder => ({
  name: `${folder.name.replace(/\/$/, "")}/${path}`,
  list: (below) => folder.list(below ? `${path}/${below}` : path),
  open: (below) => folder.open(`${path}/${below}`),
});
