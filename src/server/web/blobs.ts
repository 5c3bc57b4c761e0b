import { sha256 } from "../../core/index.ts";
import { filesIn, findFile, removeFile, type StoredFolder, writeFile } from "../../storage/web/index.ts";
import type { BlobId } from "../api/index.ts";
import type { StoredBlob } from "../blobs.ts";
import type { PageBlobs } from "../page/index.ts";

/** Pictures in a folder of the browser's storage, each in a file that is named after its hash. */
export class FolderBlobs implements PageBlobs {
  private readonly folder: StoredFolder;

  constructor(folder: StoredFolder) {
    this.folder = folder;
  }

  async put(bytes: Uint8Array): Promise<BlobId> {
    const id = sha256(bytes);
    const known = await this.file(id);
    if (known?.size !== bytes.length) await writeFile(this.folder, id, bytes);
    return id;
  }

  async get(id: BlobId): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const file = await this.file(id);
    return file && new Uint8Array(await file.arrayBuffer());
  }

  /** Returns a picture without reading it. */
  file(id: BlobId): Promise<File | undefined> {
    return findFile(this.folder, id);
  }

  async head(id: BlobId): Promise<StoredBlob | undefined> {
    const file = await this.file(id);
    return file && { id, bytes: file.size, stored: file.lastModified };
  }

  delete(id: BlobId): Promise<void> {
    return removeFile(this.folder, id);
  }

  async *list(): AsyncGenerator<StoredBlob> {
    for await (const { name, size, lastModified } of filesIn(this.folder)) {
      yield { id: name, bytes: size, stored: lastModified };
    }
  }
}
