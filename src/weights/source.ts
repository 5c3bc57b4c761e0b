import { CheckpointError, type Work } from "../core/index.ts";
import { refuseFailedDownload } from "./fileKind.ts";

/** Bytes that can be read at any position: a file on disk, a Blob in a browser, an array in memory. */
export interface ByteSource {
  /** Name in errors: the path as the user knows it. */
  readonly name: string;
  /** Number of bytes. */
  readonly size: number;
  /** Path on disk, with all links resolved, for native code that maps it. Absent if it is not a file on disk. */
  readonly path?: string;
  /** The same bytes in a browser, for a Worker that reads them by itself. Absent if they are in no file of the browser's. */
  readonly blob?: Blob;
  /** Reads exactly `length` bytes from `offset`. Rejects if the source has fewer. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /**
   * SHA-256 of the content as 64 hexadecimal digits, if the source finds it faster than by reading all bytes anew. To hash
   * any source, use `hashSource`.
   */
  sha256?(work?: Work): Promise<string>;
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: "file" | "folder";
}

/** A folder of files. Paths are relative to it and separated by "/". */
export interface Folder {
  /** Name in errors. */
  readonly name: string;
  /** Lists the files and folders directly in `path`, sorted by name. Empty if there is no such folder. */
  list(path?: string): Promise<readonly FolderEntry[]>;
  /** Opens a file. Rejects with CheckpointError if there is no such file or it may not be read. */
  open(path: string): Promise<ByteSource>;
}

/** Makes a source of bytes in memory. */
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
    throw new CheckpointError("the file is too long", {
      where: source.name,
      found: `${source.size} bytes`,
      expected: `at most ${maxBytes}`,
    });
  }
  const bytes = await source.read(0, source.size);
  refuseFailedDownload(bytes, source.name);
  return bytes;
}

/** Lists the names of the files directly in a folder. */
export async function filesOf(folder: Folder): Promise<string[]> {
  return (await folder.list()).filter((e) => e.kind === "file").map((e) => e.name);
}

/** Opens the folder `path` of a folder. */
export const subfolder = (folder: Folder, path: string): Folder => ({
  name: `${folder.name.replace(/\/$/, "")}/${path}`,
  list: (below) => folder.list(below ? `${path}/${below}` : path),
  open: (below) => folder.open(`${path}/${below}`),
});
