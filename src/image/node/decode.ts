import sharp, { type Metadata } from "sharp";
import { z } from "zod";
import {
  checkArguments,
  type ErrorDetails,
  ImageError,
  isA,
  type Picture,
  someText,
  type Warning,
  whole,
} from "../../core/index.ts";
import { readRegular, systemMessage } from "../../storage/node/index.ts";
import { type AlphaChannel, layOverWhite } from "../alpha.ts";
import { type PhotoFormat, sniff } from "../formats.ts";
import { pngChunks } from "../pngText.ts";
import { longestSide } from "../resize.ts";
import { decodeSamples } from "./samples.ts";

export interface DecodeOptions {
  /** Photos with more pixels are refused before they are decoded. Default 100 million. Sides are at most 65,535. */
  maxPixels?: number;
}

/** A photo as it is edited, and the facts about its file. */
export interface DecodedPhoto {
  /** Upright, in 8-bit sRGB. Transparent pixels are laid over white. */
  readonly picture: Picture;
  /** Absent if every pixel is opaque. */
  readonly alpha?: AlphaChannel;
  readonly format: PhotoFormat;
  /** Frames or pages after the first. They were not decoded. */
  readonly framesLeftOut: number;
  /** Codes: "frames-left-out"; "unusable-profile" if colours were taken as sRGB because their profile is damaged. */
  readonly warnings: readonly Warning[];
}

/** Facts that the header of a picture file tells. */
export interface PhotoHeader {
  readonly format: PhotoFormat;
  /** Size of the upright picture. */
  readonly width: number;
  readonly height: number;
}

const decodeArguments = z.object({
  source: z.union([someText, isA<Uint8Array>("bytes", (value) => value instanceof Uint8Array)], {
    error: "expected a path or the bytes of a picture file",
  }),
  options: z.strictObject({ maxPixels: whole(1, Number.MAX_SAFE_INTEGER).optional() }),
});

const expected = "a PNG, JPEG, WebP, TIFF, AVIF or GIF picture";
/** More than any picture within the default pixel limit needs, and what one Buffer can hold. */
const maxFileBytes = 1024 ** 3;

/** libvips reports one fault a line, some of them many times. */
const reason = (error: unknown): string =>
  error instanceof Error
    ? [...new Set(error.message.trim().split("\n"))].slice(0, 3).join("; ").replace(/[:.]$/, "")
    : String(error);

async function readPicture(path: string): Promise<Buffer> {
  try {
    return await readRegular(path, maxFileBytes);
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

async function open(source: Uint8Array | string, { maxPixels = 100_000_000 }: DecodeOptions): Promise<OpenedPhoto> {
  const where = typeof source === "string" ? source : undefined;
  const refuse = (problem: string, details: ErrorDetails) => new ImageError(problem, { where, ...details });
  const bytes =
    typeof source === "string"
      ? await readPicture(source)
      : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  if (bytes.length === 0) throw refuse("empty file", { found: "0 bytes", expected });
  // Only formats named here reach sharp, and a file of another is called by its name.
  const { format, name } = sniff(bytes);
  if (format === undefined) throw refuse("not a picture that baret reads", { found: name, expected });
  const header = await sharp(bytes, { limitInputPixels: false }).metadata();
  const { width, height, depth, space } = header;
  // A decoder holds whole rows, and takes its time for each: within the pixel limit, one row would take gigabytes.
  if (Math.max(width, height) > longestSide) {
    throw refuse("a side is too long", {
      found: `${width}x${height}`,
      expected: `at most ${longestSide} pixels along each side`,
    });
  }
  const pixels = width * height;
  if (pixels > maxPixels) {
    throw refuse("too many pixels", { found: `${width}x${height} = ${pixels}`, expected: `at most ${maxPixels}` });
  }
  // libvips cannot know how bright other numbers are; it holds 16-bit Lab as signed numbers.
  if (depth !== "uchar" && depth !== "ushort" && space !== "labs") {
    throw refuse("samples of a kind that is not read", { found: depth, expected: "whole numbers of 8 or 16 bits" });
  }
  const frames = Math.max(header.pages ?? 1, format === "png" ? pngFrames(bytes) : 1);
  return { bytes, where, format, header, frames, maxPixels };
}

async function decode({ bytes, where, format, header, frames, maxPixels }: OpenedPhoto): Promise<DecodedPhoto> {
  const { width, height, channels, data, unusableProfile } = await decodeSamples(bytes, header, maxPixels);
  if (channels > 4) throw new ImageError("colours", { where, found: `${channels} channels`, expected: "at most 4" });
  const framesLeftOut = frames - 1;
  const name = where ?? "the photo";
  const warnings: Warning[] = [
    ...(framesLeftOut > 0
      ? [
          {
            code: "frames-left-out",
            message: `${name}: only the first of ${frames} ${format === "tiff" ? "pages" : "frames"} is used.`,
            details: { where, frames, framesLeftOut },
          },
        ]
      : []),
    ...(unusableProfile
      ? [
          {
            code: "unusable-profile",
            message: `${name}: the colour profile is damaged, so its colours are taken as sRGB.`,
            details: { where },
          },
        ]
      : []),
  ];
  const opaque = channels === 3 && { picture: { width, height, data } };
  return { ...(opaque || layOverWhite(data, width, height)), format, framesLeftOut, warnings };
}

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

/** The picture that decodePhoto reads. Throws ImageError as it does, and if the file has several frames. */
export async function decodeImage(source: Uint8Array | string, options: DecodeOptions = {}): Promise<Picture> {
  checkArguments("decodeImage", decodeArguments, { source, options });
  return naming(source, async () => {
    const opened = await open(source, options);
    const { frames, where } = opened;
    if (frames > 1) throw new ImageError("animated", { where, found: `${frames} frames`, expected: "one picture" });
    return (await decode(opened)).picture;
  });
}
