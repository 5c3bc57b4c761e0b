import { sha256 } from "../../core/index.ts";
import type { CachedFile, FileCache, FileKey } from "../../storage/index.ts";
import { blobSource } from "./blobFolder.ts";
import { filesIn, findFile, type Handle, removeFile, writeFile } from "./folders.ts";

/** Most bytes of the steps of all preparations. A prepared photo at 128 x 128 pixels and 50 steps has 3 MB. */
const MOST_BYTES = 200e6;

/** Keeps the steps of preparations in a folder of the browser's storage. Beyond a size, drops those that were written first. */
export class StepFiles implements FileCache {
  private readonly folder: Handle;

  constructor(folder: Handle) {
    this.folder = folder;
  }

  async open(key: FileKey): Promise<CachedFile | undefined> {
    const file = await findFile(this.folder, nameOf(key));
    // A file that is replaced or dropped while it is read fails, and the photo is prepared again.
    return file && { source: blobSource(key.name, file), release: async () => undefined };
  }

  async write(key: FileKey, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    const bytes = content instanceof Uint8Array ? content : await joined(content);
    await writeFile(this.folder, nameOf(key), bytes);
    await this.dropOldest(nameOf(key));
  }

  private async dropOldest(spared: string): Promise<void> {
    const files: File[] = [];
    for await (const file of filesIn(this.folder)) files.push(file);
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of files.sort((a, b) => a.lastModified - b.lastModified)) {
      if (bytes <= MOST_BYTES) return;
      if (name === spared) continue;
      await removeFile(this.folder, name);
      bytes -= size;
    }
  }
}

const nameOf = (key: FileKey): string => `${sha256(JSON.stringify([key.kind, key.of]))}-${key.name}`;

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of pieces) parts.push(new Uint8Array(piece));
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
