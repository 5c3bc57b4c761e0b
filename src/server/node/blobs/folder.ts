import { constants, type Dirent } from "node:fs";
import { access, readdir, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  fileIdentity,
  isMissing,
  makeFolder,
  readRegular,
  storageError,
  writeFileAtomic,
} from "../../../storage/node/index.ts";
import { type BlobId, blobId } from "../../api/index.ts";
import type { BlobStore, OpenedBlob, StoredBlob } from "../../blobs.ts";
import { changed, checked, damaged, idOfBytes, idOfFile, openedBlob, piecesOf, requireId } from "./checked.ts";

/** Largest blob that is read into the memory. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Blobs as files of a folder that several processes may share: "ab/cd/abcd…". A file appears with all its bytes, because it is
 * renamed.
 */
export class FolderBlobs implements BlobStore {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async put(bytes: Uint8Array): Promise<BlobId> {
    const id = await idOfBytes(bytes);
    await this.store(id, bytes.length, bytes);
    return id;
  }

  async putFile(path: string): Promise<BlobId> {
    const id = await idOfFile(path);
    const { size } = await fileIdentity(path);
    await this.store(
      id,
      size,
      checked(piecesOf(path), id, () => changed(path)),
    );
    return id;
  }

  async get(id: BlobId): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = this.pathOf(id);
    const bytes = await missingIsUndefined(path, () => readRegular(path, MAX_BYTES));
    if (bytes && (await idOfBytes(bytes)) !== id) throw damaged(path);
    return bytes;
  }

  async open(id: BlobId): Promise<OpenedBlob | undefined> {
    const path = this.pathOf(id);
    const found = await this.head(id);
    return found && openedBlob(id, found.bytes, path, (start, end) => piecesOf(path, start, end));
  }

  async getFile(id: BlobId, to: string): Promise<boolean> {
    const path = this.pathOf(id);
    if ((await missingIsUndefined(path, () => access(path, constants.R_OK).then(() => true))) === undefined)
      return false;
    await writeFileAtomic(
      to,
      checked(piecesOf(path), id, () => damaged(path)),
    );
    return true;
  }

  async head(id: BlobId): Promise<StoredBlob | undefined> {
    const path = this.pathOf(id);
    const found = await missingIsUndefined(path, () => stat(path));
    return found && { id, bytes: found.size, stored: found.mtimeMs };
  }

  async delete(id: BlobId): Promise<void> {
    const path = this.pathOf(id);
    await rm(path, { force: true }).catch((cause) => {
      throw storageError("cannot be deleted", path, cause);
    });
  }

  async *list(): AsyncGenerator<StoredBlob, void> {
    for (const first of await entriesOf(this.folder)) {
      if (!isGroup(first)) continue;
      for (const second of await entriesOf(join(this.folder, first.name))) {
        if (!isGroup(second)) continue;
        for (const { name } of await entriesOf(join(this.folder, first.name, second.name))) {
          // Files that are being written have other names.
          if (!blobId.safeParse(name).success) continue;
          const found = await this.head(name);
          if (found) yield found;
        }
      }
    }
  }

  private pathOf(id: BlobId): string {
    requireId(id);
    return join(this.folder, id.slice(0, 2), id.slice(2, 4), id);
  }

  private async store(id: BlobId, size: number, data: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    const path = this.pathOf(id);
    const now = new Date();
    const renewed = await missingIsUndefined(path, () => utimes(path, now, now).then(() => true));
    if (renewed && (await this.head(id))?.bytes === size) return;
    await makeFolder(dirname(path)).catch((cause) => {
      throw storageError("the folder cannot be made", dirname(path), cause);
    });
    await writeFileAtomic(path, data);
  }
}

const isGroup = (entry: Dirent): boolean => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name);

const entriesOf = async (folder: string): Promise<Dirent[]> =>
  (await missingIsUndefined(folder, () => readdir(folder, { withFileTypes: true }))) ?? [];

/** Returns undefined if there is nothing at the path. Throws StorageError if the work fails otherwise. */
async function missingIsUndefined<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw storageError("cannot be read", path, cause);
  }
}
