// Pictures of clients, decoded and encoded in a process of its own.
// Knows of: image, blobs.
// Does not know of: jobs, HTTP.
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uniqueName } from "../../../storage/node/index.ts";
import type { BlobId, PictureRef } from "../../api/index.ts";
import type { BlobStore, OpenedBlob } from "../../blobs.ts";
import { removeAbandoned } from "../abandoned.ts";
import type { DecodedFacts } from "./messages.ts";
import { PictureProcess } from "./process.ts";

export type { DecodedFacts } from "./messages.ts";

/** Memory for small copies. */
const MAX_THUMBNAIL_BYTES = 16 << 20;

const SIGNATURE_BYTES = 4;

const isPng = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.subarray(0, SIGNATURE_BYTES)).toString("latin1") === "\x89PNG";

/** Returns the first bytes of a file. */
async function headOf(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(8), 0, 8, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const PREFIX = "baret-picture";

/** Removes the folders of pictures whose servers were killed. */
export const removeAbandonedPictures = (): Promise<void> => removeAbandoned(tmpdir(), PREFIX);

/** Runs work with a folder that is deleted afterwards. */
async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), uniqueName(PREFIX)));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Pictures of a store of blobs. */
export class Pictures {
  private readonly blobs: BlobStore;
  private readonly maxPixels: number;
  private readonly photos = new PictureProcess();
  private readonly copies = new PictureProcess();
  /** Small copies by id and side, the one used last at the end. */
  private readonly thumbnails = new Map<string, Promise<Uint8Array<ArrayBuffer> | undefined>>();
  private thumbnailBytes = 0;

  constructor(blobs: BlobStore, maxPixels: number) {
    this.blobs = blobs;
    this.maxPixels = maxPixels;
  }

  /** Decodes a photo, turns it upright and stores it as PNG. Throws ImageError, BusyError, StorageError. */
  add(bytes: Uint8Array): Promise<PictureRef & DecodedFacts> {
    return withFolder(async (folder) => {
      const [from, to] = [join(folder, "photo"), join(folder, "photo.png")];
      await writeFile(from, bytes);
      const facts = await this.photos.run({ type: "photo", from, to, maxPixels: this.maxPixels });
      return { ...facts, id: await this.blobs.putFile(to) };
    });
  }

  /** Returns a stored picture as PNG. Undefined if there is none of this id, or if the blob is no picture. */
  async png(id: BlobId): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await this.blobs.get(id);
    return bytes && isPng(bytes) ? bytes : undefined;
  }

  /** Returns a stored picture to read piece by piece. Undefined as `png`. */
  async open(id: BlobId): Promise<OpenedBlob | undefined> {
    const opened = await this.blobs.open(id);
    if (!opened) return undefined;
    for await (const head of opened.read(0, SIGNATURE_BYTES)) return isPng(head) ? opened : undefined;
    return undefined;
  }

  /** Returns a small copy as WebP. Undefined as `png`. */
  thumbnail(id: BlobId, side: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const key = `${id} ${side}`;
    const known = this.thumbnails.get(key);
    this.thumbnails.delete(key);
    const made = known ?? this.makeThumbnail(key, id, side);
    this.thumbnails.set(key, made);
    return made;
  }

  close(): void {
    this.photos.close();
    this.copies.close();
  }

  private async makeThumbnail(key: string, id: BlobId, side: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const made = await withFolder(async (folder) => {
        const [from, to] = [join(folder, "picture.png"), join(folder, "small.webp")];
        if (!(await this.blobs.getFile(id, from)) || !isPng(await headOf(from))) return undefined;
        await this.copies.run({ type: "thumbnail", from, to, side });
        return new Uint8Array(await readFile(to));
      });
      this.thumbnailBytes += made?.length ?? 0;
      if (!made) this.thumbnails.delete(key);
      await this.dropOldest();
      return made;
    } catch (error) {
      this.thumbnails.delete(key);
      throw error;
    }
  }

  private async dropOldest(): Promise<void> {
    for (const [key, made] of this.thumbnails) {
      if (this.thumbnailBytes <= MAX_THUMBNAIL_BYTES) return;
      this.thumbnails.delete(key);
      this.thumbnailBytes -= (await made)?.length ?? 0;
    }
  }
}
