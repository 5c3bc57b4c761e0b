import type { DecodedPhoto } from "../image/index.ts";
import type { ByteSource, Folder } from "../weights/index.ts";

/** A picture file: its bytes, or where it is, a path in Node and a URL in a browser. */
export type PhotoFile = string | Uint8Array | Blob;

/** Functions of the place where a model runs, Node or a browser, that the model needs. */
export interface Platform {
  /** Opens a related model, such as a judge, by its name or place. Throws CheckpointError if there is none. */
  openModel(name: string): Promise<Folder | ByteSource>;
  /** Decodes a picture file: upright, in 8-bit sRGB. Throws ImageError. */
  decodePhoto(file: PhotoFile): Promise<DecodedPhoto>;
  /** Opens the merges of CLIP's vocabulary, which ship with the package, for a model without a tokenizer of its own. */
  merges(): Promise<ByteSource>;
}
