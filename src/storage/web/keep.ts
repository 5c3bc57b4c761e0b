import { CancelledError, shown, UsageError, type Work } from "../../core/index.ts";
import type { Folder } from "../../weights/index.ts";
import { type FileList, type ListedFile, parseFileList } from "../fileList.ts";
import { dropCopies, inUse, noteUse, USED } from "./copies.ts";
import type { DownloadPolicy } from "./download.ts";
import { askToPersist, findFile, openStorage, removeFile, type StoredFolder, writeFile } from "./opfs.ts";
import { fetchPieces, keepOnly, type Piece, type PiecedFile, piecedFolder, totalBytes } from "./pieces.ts";
import { type ListedFiles, webFiles } from "./webFolder.ts";

export interface KeepOptions extends Work {
  /** Name of the copy in the browser's storage. Letters, digits, "-", "_" and ".". */
  readonly name: string;
  /**
   * All copies of this site together may take so many bytes; the least recently used are dropped for a new one. Default: half of
   * what the browser grants this site, but at most 20 GB.
   */
  readonly maxBytes?: number;
  readonly policy?: DownloadPolicy;
}

/** Folder of the browser's storage that has the copies. */
const KEPT = "kept";
/** The list of a copy's files, written once all are there and have the right hashes. */
const COMPLETE = "complete.json";

/** A file is stored in pieces of this size, so that a broken download goes on with the next piece. */
const PIECE_BYTES = 8 << 20;

async function copyFolder(name: string): Promise<StoredFolder> {
  if (!/^[\w.-]*\w[\w.-]*$/.test(name)) {
    throw new UsageError("name of a kept copy", { found: shown(name), expected: 'letters, digits, "-", "_" and "."' });
  }
  return openStorage(KEPT, name);
}

/** Returns the name of piece k. A file with another content has other names, so a new version never mixes with an old one. */
const pieceName = ({ path, size, sha256 = "" }: ListedFile, k: number): string =>
  `${encodeURIComponent(path)}.${sha256.slice(0, 16) || size}.${k}`;

/** Returns the files of a list in pieces. urlOf: a file's URL. Default: none, for a copy that is there. */
const inPieces = ({ files }: FileList, urlOf: (path: string) => string = () => ""): PiecedFile[] =>
  files.map((file) => {
    const piece = (_: unknown, k: number): Piece => ({
      name: pieceName(file, k),
      from: {
        url: urlOf(file.path),
        start: k * PIECE_BYTES,
        end: Math.min(file.size, (k + 1) * PIECE_BYTES),
        size: file.size,
      },
    });
    return { ...file, pieces: Array.from({ length: Math.ceil(file.size / PIECE_BYTES) }, piece) };
  });

/** Returns the list of a complete copy, or undefined. */
async function completeList(folder: StoredFolder): Promise<FileList | undefined> {
  const stored = await findFile(folder, COMPLETE);
  return stored && parseFileList(await stored.text(), COMPLETE);
}

const keptFolder = (folder: StoredFolder, name: string, list: FileList): Folder =>
  piecedFolder(folder, name, inPieces(list));

/** Opens a copy that was kept. Returns undefined if there is none or an unfinished one. Needs no network. Throws StorageError. */
export async function openKept(name: string): Promise<Folder | undefined> {
  const folder = await copyFolder(name);
  await inUse(name);
  const list = await completeList(folder);
  if (!list) return undefined;
  await noteUse(folder);
  return keptFolder(folder, name, list);
}

/** Removes a kept copy, whole or unfinished. Throws StorageError. */
export async function removeKept(name: string): Promise<void> {
  await navigator.locks.request(lockName(name), async () => removeFile(await openStorage(KEPT), name));
}

const lockName = (name: string): string => `baret keep ${name}`;

/**
 * Opens a folder of a web server, as `openWebFolder` does, by a copy in the browser's storage: see `keepFiles`. Throws
 * CheckpointError if the server has no list, and as `keepFiles`.
 */
export const keepInBrowser = (url: string | URL, options: KeepOptions): Promise<Folder> =>
  keepFiles(webFiles(url), options);

/**
 * Opens files of a web server by a copy in the browser's storage. What is missing is downloaded in pieces of 8 MB; a break or a
 * closed tab costs at most one piece. Hashes that the list gives are verified. If the server has another version, only files
 * that differ are downloaded again. Of several tabs, one downloads and the others wait. Without a network, a complete copy is
 * used as it is. A copy that a tab has opened is not dropped before the tab is closed. After a download, the browser is
 * asked to persist what this site stores.
 *
 * Throws NoRoomError if the browser has no storage or too little room, StorageError if the server cannot be reached and there is no
 * copy, or if a hash is wrong twice; CheckpointError if the server lacks a file; CancelledError.
 */
export async function keepFiles(source: ListedFiles, options: KeepOptions): Promise<Folder> {
  const { name, signal } = options;
  const folder = await copyFolder(name);
  await inUse(name);
  const kept = await completeList(folder);
  let list: FileList;
  try {
    list = await source.list(options);
  } catch (error) {
    if (!kept || error instanceof CancelledError) throw error;
    await noteUse(folder);
    return keptFolder(folder, name, kept);
  }
  const done = JSON.stringify(list);
  if (JSON.stringify(kept) !== done) {
    await navigator.locks
      .request(lockName(name), { signal }, async () => {
        // Another tab may have been faster.
        if (JSON.stringify(await completeList(folder)) === done) return;
        await download(folder, inPieces(list, source.urlOf), options);
        await writeFile(folder, COMPLETE, done);
        await keepOnly(folder, inPieces(list), [COMPLETE, USED]);
        // The user may be asked, which the files do not wait for.
        askToPersist().catch(() => undefined);
      })
      .catch((cause: unknown) => {
        throw signal?.aborted ? new CancelledError(`keeping ${name}`, cause) : cause;
      });
  }
  await noteUse(folder);
  return keptFolder(folder, name, list);
}

async function download(folder: StoredFolder, files: readonly PiecedFile[], options: KeepOptions): Promise<void> {
  const { name, maxBytes } = options;
  await fetchPieces(folder, files, {
    ...options,
    where: name,
    makeRoom: async (missing) =>
      dropCopies(await openStorage(KEPT), { except: name, bytes: totalBytes(files), missing, maxBytes }),
  });
}
