import sharp, { type Sharp } from "sharp";
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
} from "../../core/index.ts";
import { type AlphaChannel, takeFromWhite } from "../alpha.ts";
import { type PictureFormat, pictureFormats } from "../formats.ts";
import { insertPngText } from "../pngText.ts";
import { RECORD_KEYWORD, readRecord } from "../record.ts";
import { xmpWithRecord } from "../xmp.ts";

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

/** Writes a PNG. `text` becomes iTXt chunks in its order: keyword (1 to 79 Latin-1 characters) to UTF-8 text. */
export async function encodePng(picture: Picture, text: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  checkArguments("encodePng", pngArguments, { picture, text });
  return insertPngText(await pixels(picture).png().toBuffer(), text);
}

/** A JPEG's segment has 64 kB, and libvips writes XMP into one. */
const MAX_JPEG_XMP_BYTES = 60_000;
/** As much as readRecord reads of a PNG. */
const MAX_WEBP_XMP_BYTES = 4 << 20;

/**
 * Writes a picture as PNG, JPEG or WebP. Throws UsageError for wrong arguments, and ImageError if `alpha` has another size
 * or if the record is longer than the format can hold: 4 MB, in a JPEG 60 kB.
 */
export async function encodePicture(picture: Picture, options: EncodeOptions = {}): Promise<Uint8Array> {
  checkArguments("encodePicture", pictureArguments, { picture, options });
  const { format = "png", quality = 92, record, alpha } = options;
  if (format === "png") {
    if (options.quality !== undefined) {
      throw new UsageError("quality is for JPEG and WebP", {
        found: "a PNG",
        advice: "A PNG keeps every pixel exactly.",
      });
    }
    const png = await pixels(picture, alpha).png().toBuffer();
    return insertPngText(png, record === undefined ? {} : { [RECORD_KEYWORD]: record });
  }
  return written(pixels(picture, format === "webp" ? alpha : undefined), { format, quality, record }).toBuffer();
}

/** A picture file and its size in pixels. */
export interface PictureFile {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Writes a picture file that baret made in another format, with its record. No pixel passes through JavaScript, so the thread is
 * never blocked. Throws ImageError if the file is damaged.
 */
export async function convertPicture(
  file: Uint8Array,
  { format, quality = 92 }: Pick<EncodeOptions, "quality"> & { readonly format: PictureFormat },
): Promise<PictureFile> {
  const record = readRecord(file);
  const image = sharp(file, { limitInputPixels: MAX_CONVERTED_PIXELS });
  const { data, info } = await (format === "png" ? image.png() : written(image, { format, quality, record }))
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new ImageError("the picture cannot be converted", { found: (cause as Error).message, cause });
    });
  const isRecorded = format === "png" && record !== undefined;
  const bytes = isRecorded ? insertPngText(data, { [RECORD_KEYWORD]: record }) : data;
  return { bytes, width: info.width, height: info.height };
}

/** As many as decodePhoto takes by default. */
const MAX_CONVERTED_PIXELS = 100_000_000;

interface WriteOptions {
  readonly format: "jpeg" | "webp";
  readonly quality: number;
  readonly record?: string;
}

/** Makes a JPEG or a WebP of an image. Throws ImageError if the record is too long. */
function written(image: Sharp, { format, quality, record }: WriteOptions): Sharp {
  const xmp = record === undefined ? undefined : xmpWithRecord(record);
  const most = format === "jpeg" ? MAX_JPEG_XMP_BYTES : MAX_WEBP_XMP_BYTES;
  const size = Buffer.byteLength(xmp ?? "");
  if (size > most) {
    throw new ImageError(`the record is too long for a ${format === "jpeg" ? "JPEG" : "WebP"}`, {
      found: formatBytes(size),
      expected: `at most ${formatBytes(most)}`,
      advice: "Write a PNG, which has more room.",
    });
  }
  const described = xmp === undefined ? image : image.withXmp(xmp);
  // Edits are often about colour, so colour keeps its full resolution.
  return format === "jpeg"
    ? described.flatten({ background: "white" }).jpeg({ quality, chromaSubsampling: "4:4:4" })
    : described.webp({ quality, smartSubsample: true });
}

function pixels(picture: Picture, alpha?: AlphaChannel): Sharp {
  const { width, height } = picture;
  const data = alpha ? takeFromWhite(picture, alpha) : picture.data;
  return sharp(data, { raw: { width, height, channels: alpha ? 4 : 3 } });
}
