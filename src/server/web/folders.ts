import { StorageError } from "../../core/index.ts";

/** A folder of the browser's own storage for this page (the origin private file system). */
export type Handle = FileSystemDirectoryHandle;

const isMissing = (error: unknown): boolean => error instanceof DOMException && error.name === "NotFoundError";
const isFull = (error: unknown): boolean => error instanceof DOMException && error.name === "QuotaExceededError";

/** Opens a folder below the root of the storage, and makes it if there is none. Throws StorageError if the browser has no such storage. */
export async function openFolder(...path: readonly string[]): Promise<Handle> {
  try {
    let folder = await navigator.storage.getDirectory();
    for (const name of path) folder = await folder.getDirectoryHandle(name, { create: true });
    return folder;
  } catch (cause) {
    throw new StorageError("this browser keeps no files for this page", {
      found: (cause as Error).message,
      advice: "Open the page in a normal window, not a private one, over https.",
      cause,
    });
  }
}

/** Returns a file, or undefined if there is none. */
export async function findFile(folder: Handle, name: string): Promise<File | undefined> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Writes a file whole or not at all. Throws StorageError if there is no room. */
export async function writeFile(folder: Handle, name: string, content: Uint8Array | string): Promise<void> {
  let writing: FileSystemWritableFileStream | undefined;
  try {
    writing = await (await folder.getFileHandle(name, { create: true })).createWritable();
    await writing.write(typeof content === "string" ? content : new Uint8Array(content));
    // The file changes here, and not before.
    await writing.close();
  } catch (cause) {
    await writing?.abort().catch(() => undefined);
    // An empty file is what is left if it is new.
    if ((await findFile(folder, name).catch(() => undefined))?.size === 0) await removeFile(folder, name);
    throw isFull(cause) ? fullError(cause) : new StorageError("a file cannot be kept", { where: name, cause });
  }
}

const fullError = (cause: unknown): StorageError =>
  new StorageError("the browser's storage for this page is full", {
    advice: "Delete results in the history below, or free room on this disk. Finished results are kept.",
    cause,
  });

/** Removes a file, if there is one. */
export async function removeFile(folder: Handle, name: string): Promise<void> {
  try {
    await folder.removeEntry(name);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Lists the files of a folder. */
export async function* filesIn(folder: Handle): AsyncGenerator<File> {
  for await (const handle of folder.values()) if (handle.kind === "file") yield await handle.getFile();
}
