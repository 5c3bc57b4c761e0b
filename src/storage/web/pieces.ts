import { formatBytes, giveTurn, StorageError, sha256, startSha256, type Work } from "../../core/index.ts";
import type { ByteSource, Folder } from "../../weights/index.ts";
import { entriesIn } from "../fileList.ts";
import { fileSource } from "./chosen.ts";
import { type DownloadPolicy, type DownloadWork, download, type WantedBytes } from "./download.ts";
import { NoRoomError, noSuchFile, roomAdvice } from "./errors.ts";
import { filesIn, findFile, freeBytes, removeFile, type StoredFolder, writeFile } from "./opfs.ts";

// Files of a web server in the browser's storage. A file lies there in pieces, so that a broken download goes on with the next one.

/** A part of a file. */
export interface Piece {
  /** Name of its file in the storage. Other content has another name, so that versions never mix. */
  readonly name: string;
  /** Where its bytes are on the server. */
  readonly from: WantedBytes;
  /** Its hash, if it is known. */
  readonly sha256?: string;
}

/** A file in pieces. */
export interface PiecedFile {
  /** Path in its folder, parts separated by "/". */
  readonly path: string;
  readonly size: number;
  /** Hash of the whole file, if it is known. */
  readonly sha256?: string;
  readonly pieces: readonly Piece[];
}

export interface FetchPiecesWork extends Work {
  /** Name of the files, in errors. */
  readonly where: string;
  readonly policy?: DownloadPolicy;
  /** Makes room for so many bytes, if it can. Default: nothing is done. */
  readonly makeRoom?: (bytes: number) => Promise<void>;
}

const bytesOf = ({ from }: Piece): number => from.end - from.start;

/** Returns all pieces of files by their names. Files may share pieces. */
const byName = (files: readonly PiecedFile[]): Map<string, Piece> =>
  new Map(files.flatMap(({ pieces }) => pieces.map((piece) => [piece.name, piece] as const)));

/** Returns the bytes of all pieces of files. */
export const totalBytes = (files: readonly PiecedFile[]): number => sum(byName(files).values());

const sum = (pieces: Iterable<Piece>): number => [...pieces].reduce((bytes, piece) => bytes + bytesOf(piece), 0);

/** Returns the files of a folder whose pieces are in the storage. A piece is opened when its file is. Needs no network. */
export const piecedFolder = (folder: StoredFolder, name: string, files: readonly PiecedFile[]): Folder => ({
  name,
  list: async (path) => entriesIn(files, path),
  open: async (path) => {
    const file = files.find((one) => one.path === path);
    if (!file) throw noSuchFile(`${name}/${path}`);
    return joined(folder, file, `${name}/${path}`);
  },
});

/** Returns the pieces of a file one after another. Throws StorageError if one is missing. */
async function joined(folder: StoredFolder, { sha256, pieces }: PiecedFile, where: string): Promise<ByteSource> {
  const parts: Blob[] = [];
  for (const piece of pieces) {
    const stored = await findFile(folder, piece.name);
    if (stored?.size !== bytesOf(piece)) {
      throw new StorageError("the kept copy is incomplete", { where, advice: "Load the page again while online." });
    }
    parts.push(stored);
  }
  // No byte is read for this.
  return { ...fileSource(new Blob(parts), where), ...(sha256 !== undefined && { sha256: async () => sha256 }) };
}

/**
 * Downloads the pieces of files that are not stored, and verifies the hashes that are known: a piece or a file with wrong bytes is
 * downloaded again, past the browser's cache, and refused the second time. A piece is stored as soon as it is there. Reports progress
 * in bytes of all files, beginning with what is stored.
 *
 * Throws NoRoomError if the rest does not fit, StorageError if the server cannot be reached or sends wrong bytes, CheckpointError
 * if it lacks a file, CancelledError.
 */
export async function fetchPieces(
  folder: StoredFolder,
  files: readonly PiecedFile[],
  work: FetchPiecesWork,
): Promise<void> {
  const sizes = new Map<string, number>();
  for await (const { name, size } of filesIn(folder)) sizes.set(name, size);
  const isStored = (piece: Piece): boolean => sizes.get(piece.name) === bytesOf(piece);
  const all = byName(files);
  const total = sum(all.values());
  let done = sum([...all.values()].filter(isStored));
  await requireRoom(total - done, work);
  const tell = (bytes: number): void => {
    done += bytes;
    work.onProgress?.({ phase: "download", done, total, unit: "bytes" });
  };
  const store = async (piece: Piece, bytes: Uint8Array): Promise<void> => {
    if (piece.sha256 !== undefined && sha256(bytes) !== piece.sha256) return tell(-bytes.length);
    await writeFile(folder, piece.name, bytes);
    sizes.set(piece.name, bytes.length);
  };
  const forget = async (piece: Piece): Promise<void> => {
    await removeFile(folder, piece.name);
    if (sizes.delete(piece.name)) tell(-bytesOf(piece));
  };
  tell(0);
  for (const file of files) {
    for (const cache of ["default", "reload"] as const) {
      for (const run of runsOf(file.pieces.filter((piece) => !isStored(piece)))) {
        await fetchRun(run, { ...work, cache }, { tell, store });
      }
      const lost = file.pieces.find((piece) => !isStored(piece));
      if (!lost && (await isIntact(folder, file, work))) break;
      if (!lost) for (const piece of file.pieces) await forget(piece);
      if (cache === "reload") throw wrongBytes(lost ?? file.pieces[0], file);
    }
  }
}

/** Groups pieces that lie one after another in one file of the server, so that one request brings them. */
function runsOf(pieces: readonly Piece[]): Piece[][] {
  const runs: Piece[][] = [];
  for (const piece of pieces) {
    const last = runs.at(-1)?.at(-1)?.from;
    if (last?.url === piece.from.url && last.end === piece.from.start) runs.at(-1)!.push(piece);
    else runs.push([piece]);
  }
  return runs;
}

interface Arriving {
  /** Called with the number of bytes that arrived. */
  readonly tell: (bytes: number) => void;
  /** Called with a piece that is there. */
  readonly store: (piece: Piece, bytes: Uint8Array) => Promise<void>;
}

/** Downloads pieces that lie one after another. Throws as `download`. */
async function fetchRun(run: readonly Piece[], work: DownloadWork, { tell, store }: Arriving): Promise<void> {
  const [{ url, start, size }, { end }] = [run[0].from, run.at(-1)!.from];
  let k = 0;
  let bytes = new Uint8Array(bytesOf(run[0]));
  let filled = 0;
  for await (const chunk of download({ url, start, end, size }, work)) {
    for (let at = 0; at < chunk.length; ) {
      const some = chunk.subarray(at, at + bytes.length - filled);
      bytes.set(some, filled);
      filled += some.length;
      at += some.length;
      tell(some.length);
      if (filled < bytes.length) continue;
      await store(run[k], bytes);
      k++;
      if (k === run.length) return;
      bytes = new Uint8Array(bytesOf(run[k]));
      filled = 0;
    }
  }
}

/** Removes all files from a folder that are no pieces of these files. spared: names of others that stay. */
export async function keepOnly(
  folder: StoredFolder,
  files: readonly PiecedFile[],
  spared: readonly string[] = [],
): Promise<void> {
  const known = new Set([...byName(files).keys(), ...spared]);
  for await (const { name } of filesIn(folder)) if (!known.has(name)) await removeFile(folder, name);
}

/** Throws NoRoomError if so many bytes do not fit into the storage. */
async function requireRoom(bytes: number, { where, makeRoom }: FetchPiecesWork): Promise<void> {
  if (bytes === 0) return;
  await makeRoom?.(bytes);
  const free = await freeBytes();
  if (bytes <= free) return;
  throw new NoRoomError("the browser's storage for this page has too little room", {
    where,
    found: formatBytes(free),
    expected: formatBytes(bytes),
    advice: roomAdvice,
  });
}

const wrongBytes = (piece: Piece, file: PiecedFile): StorageError =>
  new StorageError("checksum mismatch, twice in a row", {
    where: piece.from.url,
    expected: `sha256 ${piece.sha256 ?? file.sha256}`,
    advice: "The server's list and its files do not belong together, or something between changes them.",
  });

const HASH_BYTES = 1 << 20;

/** Returns true if a stored file has the known hash, or if none is known, or if each of its pieces was verified. */
async function isIntact(folder: StoredFolder, file: PiecedFile, { signal }: Work): Promise<boolean> {
  if (file.sha256 === undefined || file.pieces.every((piece) => piece.sha256 !== undefined)) return true;
  const source = await joined(folder, file, file.path);
  const hash = startSha256();
  for (let at = 0; at < file.size; at += HASH_BYTES) {
    await giveTurn(signal, `hashing ${file.path}`);
    hash.update(await source.read(at, Math.min(HASH_BYTES, file.size - at)));
  }
  return hash.digest() === file.sha256;
}
