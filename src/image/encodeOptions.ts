import { z } from "zod";
import {
  aPicture,
  checkArguments,
  formatBytes,
  ImageError,
  isA,
  oneOf,
  type Picture,
  UsageError,
  whole,
} from "../core/index.ts";
import type { AlphaChannel } from "./alpha.ts";
import { type PictureFormat, pictureFormats } from "./formats.ts";
import { xmpWithRecord } from "./xmp.ts";

export interface EncodeOptions {
  /** Default "png". */
  format?: PictureFormat;
  /** 1 to 100, for JPEG and WebP. Default 92. */
  quality?: number;
  /** JSON text that readRecord gives back. */
  record?: string;
  /**
   * Opacity, for PNG and WebP. The picture is taken as laid over white, as decodePhoto gives it, and the white is removed.
   * JPEG has no opacity: there the picture stays on white.
   */
  alpha?: AlphaChannel;
}

/** A picture file and its size in pixels. */
export interface PictureFile {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Settings of a file in a format that loses detail. */
export interface LossyOptions {
  readonly format: Exclude<PictureFormat, "png">;
  readonly quality: number;
  readonly record?: string;
}

export const DEFAULT_QUALITY = 92;

const anAlphaChannel = isA<AlphaChannel>(
  "an alpha channel, as decodePhoto gives it",
  (value) => typeof value === "object" && value !== null && "data" in value && value.data instanceof Uint8Array,
);
const pngArguments = z.object({ picture: aPicture, text: z.record(z.string(), z.string()) });
const pictureArguments = z.object({
  picture: aPicture,
  options: z.strictObject({
    format: oneOf(pictureFormats).optional(),
    quality: whole(1, 100).optional(),
    record: z.string().optional(),
    alpha: anAlphaChannel.optional(),
  }),
});

/** Throws UsageError if these are not arguments of encodePng. */
export const checkPngArguments = (picture: Picture, text: Readonly<Record<string, string>>): void =>
  checkArguments("encodePng", pngArguments, { picture, text });

/** Throws UsageError if these are not arguments of encodePicture. */
export function checkPictureArguments(picture: Picture, options: EncodeOptions): void {
  checkArguments("encodePicture", pictureArguments, { picture, options });
  if ((options.format ?? "png") === "png" && options.quality !== undefined) {
    throw new UsageError("quality is for JPEG and WebP", {
      found: "a PNG",
      advice: "A PNG keeps every pixel exactly.",
    });
  }
}

/** A JPEG's segment has 64 kB, and XMP is written into one. */
const MAX_JPEG_XMP_BYTES = 60_000;
/** As much as readRecord reads of a PNG. */
const MAX_WEBP_XMP_BYTES = 4 << 20;

/** Returns the XMP packet that holds a record. Undefined without one. Throws ImageError if the format has no room for it. */
export function xmpFor({ format, record }: LossyOptions): string | undefined {
  if (record === undefined) return undefined;
  const xmp = xmpWithRecord(record);
  const most = format === "jpeg" ? MAX_JPEG_XMP_BYTES : MAX_WEBP_XMP_BYTES;
  const size = new TextEncoder().encode(xmp).length;
  if (size > most) {
    throw new ImageError(`the record is too long for a ${format === "jpeg" ? "JPEG" : "WebP"}`, {
      found: formatBytes(size),
      expected: `at most ${formatBytes(most)}`,
      advice: "Write a PNG, which has more room.",
    });
  }
  return xmp;
}
