import sharp, { type Sharp } from "sharp";
import { ImageError, type Picture } from "../../core/index.ts";
import { type AlphaChannel, takeFromWhite } from "../alpha.ts";
import {
  checkPictureArguments,
  checkPngArguments,
  DEFAULT_QUALITY,
  type EncodeOptions,
  type LossyOptions,
  type PictureFile,
  xmpFor,
} from "../encodeOptions.ts";
import type { PictureFormat } from "../formats.ts";
import { DEFAULT_MAX_PIXELS } from "../photo.ts";
import { insertPngText } from "../pngText.ts";
import { RECORD_KEYWORD, readRecord } from "../record.ts";

/** Writes a PNG. `text` becomes iTXt chunks in its order: keyword (1 to 79 Latin-1 characters) to UTF-8 text. */
export async function encodePng(picture: Picture, text: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  checkPngArguments(picture, text);
  return insertPngText(await pixels(picture).png().toBuffer(), text);
}

/**
 * Writes a picture as PNG, JPEG or WebP. Throws UsageError for wrong arguments, and ImageError if `alpha` has another size
 * or if the record is longer than the format can hold: 4 MB, in a JPEG 60 kB.
 */
export async function encodePicture(picture: Picture, options: EncodeOptions = {}): Promise<Uint8Array> {
  checkPictureArguments(picture, options);
  const { format = "png", quality = DEFAULT_QUALITY, record, alpha } = options;
  if (format === "png") {
    const png = await pixels(picture, alpha).png().toBuffer();
    return insertPngText(png, record === undefined ? {} : { [RECORD_KEYWORD]: record });
  }
  return written(pixels(picture, format === "webp" ? alpha : undefined), { format, quality, record }).toBuffer();
}

/**
 * Writes a picture file that baret made in another format, with its record. No pixel passes through JavaScript, so the thread is
 * never blocked. Throws ImageError if the file is damaged.
 */
export async function convertPicture(
  file: Uint8Array,
  { format, quality = DEFAULT_QUALITY }: Pick<EncodeOptions, "quality"> & { readonly format: PictureFormat },
): Promise<PictureFile> {
  const record = readRecord(file);
  const image = sharp(file, { limitInputPixels: DEFAULT_MAX_PIXELS });
  const { data, info } = await (format === "png" ? image.png() : written(image, { format, quality, record }))
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new ImageError("the picture cannot be converted", { found: (cause as Error).message, cause });
    });
  const isRecorded = format === "png" && record !== undefined;
  const bytes = isRecorded ? insertPngText(data, { [RECORD_KEYWORD]: record }) : data;
  return { bytes, width: info.width, height: info.height };
}

/** Makes a JPEG or a WebP of an image. Throws ImageError if the record is too long. */
function written(image: Sharp, options: LossyOptions): Sharp {
  const { format, quality } = options;
  const xmp = xmpFor(options);
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
