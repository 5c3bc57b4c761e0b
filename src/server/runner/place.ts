import type { Picture } from "../../core/index.ts";
import type { PreparedStore } from "../../editing/index.ts";
import type { AlphaChannel } from "../../image/index.ts";
import type { BlobId } from "../api/index.ts";
import type { NeededPreparation } from "./result.ts";

/** Parts of a PNG file beside its pixels. */
export interface PngFacts {
  readonly alpha?: AlphaChannel;
  /** JSON text of the record. */
  readonly record: string;
}

/** Where the pictures of one job are read and its files are written: a folder, or the storage of a browser. */
export interface JobPlace {
  /** The folder of this machine, if it is one. Neither events nor results name it. */
  readonly folder?: string;
  readPicture(id: BlobId): Promise<Uint8Array>;
  /** Name or path under which the model's platform decodes a picture that an option names. It ends in the picture's id and ".png". */
  pictureName(id: BlobId): string;
  /** Writes a finished file. */
  write(file: string, bytes: Uint8Array): Promise<void>;
  /** Returns where the steps of a preparation are kept. Steps of earlier jobs are there as soon as it resolves. */
  openSteps(preparation: NeededPreparation): Promise<PreparedStore>;
  encodePng(picture: Picture, facts: PngFacts): Promise<Uint8Array>;
  /** Returns a picture as a small WebP in a data URL. */
  encodePreview(picture: Picture): Promise<string>;
}
