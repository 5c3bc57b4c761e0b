import sharp, { type Metadata } from "sharp";
import { z } from "zod";
import { checkArguments, ImageError, type Picture, someText } from "../../core/index.ts";
import { readRegular, systemMessage } from "../../storage/node/index.ts";
import type { PhotoFormat } from "../formats.ts";
import {
  DEFAULT_MAX_PIXELS,
  type DecodedPhoto,
  type DecodeOptions,
  decodeOptions,
  MAX_FILE_BYTES,
  type PhotoHeader,
  photoOf,
  requireDecodable,
  requireFormat,
  requireOneFrame,
  someBytes,
} from "../photo.ts";
import { pngChunks } from "../pngText.ts";
import { decodeSamples } from "./samples.ts";

const decodeArguments = z.object({
  source: z.union([someText, someBytes], { error: "expected a path or the bytes of a picture file" }),
  options: decodeOptions,
});

const expected = "a PNG, JPEG, WebP, TIFF, AVIF or GIF picture";

/** libvips reports one fault a line, some of them many times. */
const reason = (error: unknown): string =>
  error instanceof Error
    ? [...new Set(error.message.trim().split("\n"))].slice(0, 3).join("; ").replace(/[:.]$/, "")
    : String(error);

async function readPicture(path: string): Promise<Buffer> {
  try {
    return await readRegular(path, MAX_FILE_BYTES);
  } catch (cause) {
    throw new ImageError(`cannot be read: ${systemMessage(cause)}`, { where: path, cause });
  }
}

/** Frames of an APNG. libvips sees only the first. */
function pngFrames(bytes: Buffer): number {
  for (const { type, data } of pngChunks(bytes)) {
    if (type === "acTL") return Buffer.from(data).readUInt32BE(0);
    if (type === "IDAT") return 1;
  }
  return 1;
}

/** A file whose header was read, and is within the limits. */
interface OpenedPhoto {
  readonly bytes: Buffer;
  readonly where: string | undefined;
  readonly format: PhotoFormat;
  readonly header: Metadata;
  readonly frames: number;
  readonly maxPixels: number;
}

async function open(
  source: Uint8Array | string,
  { maxPixels = DEFAULT_MAX_PIXELS }: DecodeOptions,
): Promise<OpenedPhoto> {
  const where = typeof source === "string" ? source : undefined;
  const bytes =
    typeof source === "string"
      ? await readPicture(source)
      : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  // Only formats named here reach sharp.
  const format = requireFormat(bytes, where, expected);
  const header = await sharp(bytes, { limitInputPixels: false }).metadata();
  const { depth, space } = header;
  requireDecodable(header, maxPixels, where);
  // libvips cannot know how bright other numbers are; it holds 16-bit Lab as signed numbers.
  if (depth !== "uchar" && depth !== "ushort" && space !== "labs") {
    throw new ImageError("samples of a kind that is not read", {
      where,
      found: depth,
      expected: "whole numbers of 8 or 16 bits",
    });
  }
  const frames = Math.max(header.pages ?? 1, format === "png" ? pngFrames(bytes) : 1);
  return { bytes, where, format, header, frames, maxPixels };
}

const decode = async (photo: OpenedPhoto): Promise<DecodedPhoto> =>
  photoOf(await decodeSamples(photo.bytes, photo.header, photo.maxPixels), photo);

/** Turns errors of sharp into an ImageError that names the photo. */
async function naming<T>(source: Uint8Array | string, work: () => Promise<T>): Promise<T> {
  const where = typeof source === "string" ? source : undefined;
  return work().catch((cause: unknown) => {
    if (cause instanceof ImageError && cause.details.where === where) throw cause;
    throw new ImageError("corrupt or truncated", { where, found: reason(cause), expected, cause });
  });
}

/**
 * Reads a PNG, JPEG, WebP, TIFF, AVIF or GIF: turned upright by its EXIF, colour profile applied, 16 bits, grey and CMYK
 * converted. Of an animation or a document with several pages, reads the first. `source` is a path or the file's bytes.
 * Throws ImageError if the file is of another format, truncated, corrupt, empty or too large (more than `maxPixels`, or
 * 65,535 pixels along a side).
 */
export async function decodePhoto(source: Uint8Array | string, options: DecodeOptions = {}): Promise<DecodedPhoto> {
  checkArguments("decodePhoto", decodeArguments, { source, options });
  return naming(source, async () => decode(await open(source, options)));
}

/** Reads the header alone of what decodePhoto reads. Throws ImageError as it does, but a broken body stays unknown. */
export async function readPhotoHeader(source: Uint8Array | string, options: DecodeOptions = {}): Promise<PhotoHeader> {
  checkArguments("readPhotoHeader", decodeArguments, { source, options });
  return naming(source, async () => {
    const { format, header } = await open(source, options);
    const { width, height } = header.autoOrient;
    return { format, width, height };
  });
}

/** Returns the picture that decodePhoto reads. Throws ImageError as it does, and if the file has several frames. */
export async function decodeImage(source: Uint8Array | string, options: DecodeOptions = {}): Promise<Picture> {
  checkArguments("decodeImage", decodeArguments, { source, options });
  return naming(source, async () => {
    const opened = await open(source, options);
    requireOneFrame(opened.frames, opened.where);
    return (await decode(opened)).picture;
  });
}
