import { isFull, isMissing, NoRoomError, storageError } from "./errors.ts";

// The browser's own storage for this page: the origin private file system.

/** A folder of the browser's storage. */
export type StoredFolder = FileSystemDirectoryHandle;

/**
 * Opens a folder of the browser's storage for this page, and makes it if there is none. path: the names from its root. Throws
 * NoRoomError if the browser has no such storage or if it is full.
 */
export async function openStorage(...path: readonly string[]): Promise<StoredFolder> {
  try {
    let folder = await navigator.storage.getDirectory();
    for (const name of path) folder = await folder.getDirectoryHandle(name, { create: true });
    return folder;
  } catch (cause) {
    if (isFull(cause)) throw storageError("the browser's storage cannot be opened", path.join("/"), cause);
    throw new NoRoomError("this browser keeps no files for this page", {
      found: (cause as Error).message,
      advice: "Open the page in a normal window, not a private one, over https.",
      cause,
    });
  }
}

/** Returns a stored file, or undefined if there is none. Throws StorageError. */
export async function findFile(folder: StoredFolder, name: string): Promise<File | undefined> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw storageError("a stored file cannot be read", name, error);
  }
}

/**
 * Writes a file whole or not at all: until the last byte is there, an older file of this name stays. Returns its size. Throws
 * StorageError if there is no room, and what `content` throws.
 */
export async function writeFile(
  folder: StoredFolder,
  name: string,
  content: Uint8Array | string | AsyncIterable<Uint8Array>,
): Promise<number> {
  const pieces = typeof content === "string" ? [new TextEncoder().encode(content)] : content;
  let writing: FileSystemWritableFileStream | undefined;
  let size = 0;
  try {
    writing = await (await folder.getFileHandle(name, { create: true })).createWritable();
    for await (const piece of pieces instanceof Uint8Array ? [pieces] : pieces) {
      await writing.write(piece as Uint8Array<ArrayBuffer>);
      size += piece.length;
    }
    // The file changes here, and not before.
    await writing.close();
    return size;
  } catch (cause) {
    await writing?.abort().catch(() => undefined);
    // An empty file is what is left of a new one.
    if ((await findFile(folder, name).catch(() => undefined))?.size === 0) await removeFile(folder, name);
    throw storageError("a file cannot be stored", name, cause);
  }
}

/** Removes a stored file or folder, if there is one. Throws StorageError. */
export async function removeFile(folder: StoredFolder, name: string): Promise<void> {
  try {
    await folder.removeEntry(name, { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw storageError("a stored file cannot be removed", name, error);
  }
}

/** Lists the files directly in a folder. One that another tab removes meanwhile is left out. */
export async function* filesIn(folder: StoredFolder): AsyncGenerator<File> {
  for await (const handle of folder.values()) {
    if (handle.kind !== "file") continue;
    const file = await handle.getFile().catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw storageError("a stored file cannot be read", handle.name, error);
    });
    if (file) yield file;
  }
}

/** Bytes that this page may still store. Browsers tell it only roughly. */
export async function freeBytes(): Promise<number> {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  return Math.max(0, quota - usage);
}

const MOST_BYTES = 20e9;

/**
 * Returns half of what the browser grants this site, but at most 20 GB: the default limit of the kept copies, and of each
 * cache.
 */
export async function grantedBytes(): Promise<number> {
  const { quota = 0 } = await navigator.storage.estimate();
  return Math.min(MOST_BYTES, quota / 2);
}

/**
 * Asks the browser not to delete what this page stores when the disk is full, unless it has agreed already. Some browsers ask the
 * user, so this belongs after something that was worth keeping. Returns true if it agreed. A Worker cannot ask.
 */
export async function askToPersist(): Promise<boolean> {
  if (await navigator.storage.persisted()) return true;
  return "persist" in navigator.storage && navigator.storage.persist();
}
