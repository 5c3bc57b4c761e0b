import type { PhotoFormat } from "../formats.ts";
import { avifHeader } from "./avif.ts";
import type { FileHeader } from "./fileHeader.ts";
import { gifHeader } from "./gif.ts";
import { jpegHeader } from "./jpeg.ts";
import { pngHeader } from "./png.ts";
import { webpHeader } from "./webp.ts";

/** Formats whose header is read here, without a decoder. */
export type ReadFormat = Exclude<PhotoFormat, "tiff">;

const readers: Readonly<Record<ReadFormat, (bytes: Uint8Array) => FileHeader | Promise<FileHeader>>> = {
  png: pngHeader,
  jpeg: jpegHeader,
  webp: webpHeader,
  avif: avifHeader,
  gif: gifHeader,
};

/** Reads the header of a picture file. Throws ImageError if the file is truncated or contradicts itself. */
export const readHeader = async (bytes: Uint8Array, format: ReadFormat): Promise<FileHeader> => readers[format](bytes);
