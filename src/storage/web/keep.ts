import {
  CancelledError,
  formatBytes,
  giveTurn,
  StorageError,
  shown,
  startSha256,
  UsageError,
  type Work,
} from "../../core/index.ts";
import type { ByteSource, Folder } from "../../weights/index.ts";
import { entriesIn, type FileList, type ListedFile, parseFileList } from "../fileList.ts";
import { fileSource } from "./chosen.ts";
import { type DownloadPolicy, downloadBytes } from "./download.ts";
import { noSuchFile } from "./errors.ts";
import { filesIn, findFile, freeBytes, openStorage, removeFile, type StoredFolder, writeFile } from "./opfs.ts";
import { readFileList } from "./webFolder.ts";

export interface KeepOptions extends Work {
  /** Name of the copy in the browser's storage. Letters, digits, "-", "_" and ".". */
  readonly name: string;
  readonly policy?: DownloadPolicy;
}

/** Folder of the browser's storage that has the copies. */
const KEPT = "kept";
/** The list of a copy's files, written once all are there and have the right hashes. */
const COMPLETE = "complete.json";

/** A file is stored in pieces of this size, so that a broken download goes on with the next piece. */
export const PIECE_BYTES = 8 << 20;

async function copyFolder(name: string): Promise<StoredFolder> {
  if (!/^[\w.-]*\w[\w.-]*$/.test(name)) {
    throw new UsageError("name of a kept copy", { found: shown(name), expected: 'letters, digits, "-", "_" and "."' });
  }
  return openStorage(KEPT, name);
}

/** Name of a stored piece. A file with another content has other pieces, so a new version never mixes with an old one. */
const pieceName = ({ path, size, sha256 = "" }: ListedFile, k: number): string =>
  `${encodeURIComponent(path)}.${sha256.slice(0, 16) || size}.${k}`;

interface Piece {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const piecesOf = (file: ListedFile): Piece[] =>
  Array.from({ length: Math.ceil(file.size / PIECE_BYTES) }, (_, k) => ({
    name: pieceName(file, k),
    start: k * PIECE_BYTES,
    end: Math.min(file.size, (k + 1) * PIECE_BYTES),
  }));

/** The pieces of a file one after another. */
async function joined(folder: StoredFolder, file: ListedFile, where: string): Promise<ByteSource> {
  const pieces: ByteSource[] = [];
  for (const { name, start, end } of piecesOf(file)) {
    const stored = await findFile(folder, name);
    if (stored?.size !== end - start) {
      throw new StorageError("the kept copy is incomplete", { where, advice: "Load the page again while online." });
    }
    pieces.push(fileSource(stored, where));
  }
  return {
    name: where,
    size: file.size,
    read: async (offset, length) => {
      if (offset < 0 || length < 0 || offset + length > file.size) {
        throw new RangeError(`${where}: bytes ${offset}..${offset + length} of ${file.size}`);
      }
      const out = new Uint8Array(length);
      for (let at = offset; at < offset + length; ) {
        const k = Math.floor(at / PIECE_BYTES);
        const inside = at - k * PIECE_BYTES;
        const count = Math.min(offset + length - at, pieces[k].size - inside);
        out.set(await pieces[k].read(inside, count), at - offset);
        at += count;
      }
      return out;
    },
    ...(file.sha256 !== undefined && { sha256: async () => file.sha256! }),
  };
}

/** The list of a complete copy, or undefined. */
async function completeList(folder: StoredFolder): Promise<FileList | undefined> {
  const stored = await findFile(folder, COMPLETE);
  return stored && parseFileList(await stored.text(), COMPLETE);
}

function keptFolder(folder: StoredFolder, name: string, { files }: FileList): Folder {
  return {
    name,
    list: async (path) => entriesIn(files, path),
    open: async (path) => {
      const file = files.find((listed) => listed.path === path);
      if (!file) throw noSuchFile(`${name}/${path}`);
      return joined(folder, file, `${name}/${path}`);
    },
  };
}

/** Opens a copy that was kept. Undefined if there is none or an unfinished one. Needs no network. Throws StorageError. */
export async function openKept(name: string): Promise<Folder | undefined> {
  const folder = await copyFolder(name);
  const list = await completeList(folder);
  return list && keptFolder(folder, name, list);
}

/** Removes a kept copy, whole or unfinished. Throws StorageError. */
export async function removeKept(name: string): Promise<void> {
  await navigator.locks.request(lockName(name), async () => removeFile(await openStorage(KEPT), name));
}

const lockName = (name: string): string => `baret keep ${name}`;

/**
 * Opens a folder of a web server, as `openWebFolder` does, by a copy in the browser's storage. What is missing is downloaded
 * in pieces of 8 MB; a break or a closed tab costs at most one piece. Hashes that the server's list gives are verified. If
 * the server has another version, only files that differ are downloaded again. Of several tabs, one downloads and the others
 * wait. Without a network, a complete copy is used as it is.
 *
 * Throws StorageError if the server cannot be reached and there is no copy, if there is no room, or if a hash is wrong twice;
 * CheckpointError if the server has no list or lacks a file; CancelledError. The browser may delete copies if the disk is
 * full, unless the page was granted `navigator.storage.persist()`.
 */
export async function keepInBrowser(url: string | URL, options: KeepOptions): Promise<Folder> {
  const { name, signal } = options;
  const folder = await copyFolder(name);
  const kept = await completeList(folder);
  let list: FileList;
  try {
    list = await readFileList(url, options);
  } catch (error) {
    if (kept && !(error instanceof CancelledError)) return keptFolder(folder, name, kept);
    throw error;
  }
  const done = JSON.stringify(list);
  if (JSON.stringify(kept) !== done) {
    await navigator.locks
      .request(lockName(name), { signal }, async () => {
        // Another tab may have been faster.
        if (JSON.stringify(await completeList(folder)) === done) return;
        await fetchMissing(
          new URL(`${url}`.replace(/\/?$/, "/"), globalThis.location?.href).href,
          folder,
          list,
          options,
        );
        await writeFile(folder, COMPLETE, done);
        await removeOthers(folder, list);
      })
      .catch((cause: unknown) => {
        throw signal?.aborted ? new CancelledError(`keeping ${name}`, cause) : cause;
      });
  }
  return keptFolder(folder, name, list);
}

/** Removes pieces that belong to no file of the list. */
async function removeOthers(folder: StoredFolder, { files }: FileList): Promise<void> {
  const wanted = new Set([COMPLETE, ...files.flatMap((file) => piecesOf(file).map(({ name }) => name))]);
  for await (const { name } of filesIn(folder)) if (!wanted.has(name)) await removeFile(folder, name);
}

/** Sizes of stored pieces, by their names. */
async function sizesIn(folder: StoredFolder): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, size } of filesIn(folder)) sizes.set(name, size);
  return sizes;
}

/** Downloads the pieces that are not stored. Throws StorageError before it begins if they would not fit. */
async function fetchMissing(
  url: string,
  folder: StoredFolder,
  { files }: FileList,
  options: KeepOptions,
): Promise<void> {
  const sizes = await sizesIn(folder);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const all = files.flatMap(piecesOf);
  const isStored = ({ name, start, end }: Piece): boolean => sizes.get(name) === end - start;
  let done = all.filter(isStored).reduce((sum, { start, end }) => sum + end - start, 0);
  const free = await freeBytes();
  if (total - done > free) {
    throw new StorageError("the browser's storage for this page has too little room", {
      where: options.name,
      found: formatBytes(free),
      expected: formatBytes(total - done),
      advice: "Delete what you no longer need of this page, or free room on this disk.",
    });
  }
  const tell = (bytes: number): void => {
    done += bytes;
    options.onProgress?.({ phase: "download", done, total, unit: "bytes" });
  };
  tell(0);
  for (const file of files) {
    const fetchFile = async (): Promise<void> => {
      for (const piece of piecesOf(file)) {
        if (isStored(piece)) continue;
        const place = new URL(file.path.split("/").map(encodeURIComponent).join("/"), url).href;
        const bytes = await downloadBytes({ url: place, start: piece.start, end: piece.end, size: file.size }, options);
        await writeFile(folder, piece.name, bytes);
        sizes.set(piece.name, bytes.length);
        tell(bytes.length);
      }
    };
    await fetchFile();
    if (await isIntact(folder, file, options)) continue;
    for (const { name, start, end } of piecesOf(file)) {
      await removeFile(folder, name);
      sizes.delete(name);
      tell(start - end);
    }
    await fetchFile();
    if (await isIntact(folder, file, options)) continue;
    for (const { name } of piecesOf(file)) await removeFile(folder, name);
    throw new StorageError("checksum mismatch, twice in a row", {
      where: new URL(file.path, url).href,
      expected: `sha256 ${file.sha256}`,
      advice: "The server's list and its files do not belong together, or something between changes them.",
    });
  }
}

/** True if a stored file has the hash of the list, or if the list has none. */
async function isIntact(folder: StoredFolder, file: ListedFile, { signal }: Work): Promise<boolean> {
  if (file.sha256 === undefined) return true;
  const source = await joined(folder, file, file.path);
  const hash = startSha256();
  for (let at = 0; at < file.size; at += HASH_BYTES) {
    await giveTurn(signal, `hashing ${file.path}`);
    hash.update(await source.read(at, Math.min(HASH_BYTES, file.size - at)));
  }
  return hash.digest() === file.sha256;
}

const HASH_BYTES = 1 << 20;
