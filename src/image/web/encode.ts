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
import { encodePngPixels, type Pixels } from "../png/encode.ts";
import { insertPngText } from "../pngText.ts";
import { RECORD_KEYWORD, readRecord } from "../record.ts";
import { insertXmp } from "../xmp.ts";
import { canvasOf } from "./canvas.ts";
import { decodePhoto } from "./decode.ts";

const pixels = (picture: Picture, alpha: AlphaChannel | undefined): Pixels => {
  const { width, height, data } = picture;
  return alpha
    ? { width, height, channels: 4, data: takeFromWhite(picture, alpha) }
    : { width, height, channels: 3, data };
};

/** Writes a PNG. `text` becomes iTXt chunks in its order: keyword (1 to 79 Latin-1 characters) to UTF-8 text. */
export async function encodePng(picture: Picture, text: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  checkPngArguments(picture, text);
  return insertPngText(await encodePngPixels(pixels(picture, undefined)), text);
}

/**
 * Writes a picture as PNG, JPEG or WebP, in a page or a Worker. A PNG keeps every pixel exactly. JPEG and WebP are written by
 * the browser, which halves the resolution of colour. Throws UsageError for wrong arguments, and ImageError if `alpha` has
 * another size, if the record is longer than the format can hold (4 MB, in a JPEG 60 kB), or if this browser cannot write
 * the format or a picture of this size.
 */
export async function encodePicture(picture: Picture, options: EncodeOptions = {}): Promise<Uint8Array> {
  checkPictureArguments(picture, options);
  const { format = "png", quality = DEFAULT_QUALITY, record, alpha } = options;
  if (format === "png") {
    const png = await encodePngPixels(pixels(picture, alpha));
    return insertPngText(png, record === undefined ? {} : { [RECORD_KEYWORD]: record });
  }
  return written(pixels(picture, format === "webp" ? alpha : undefined), { format, quality, record });
}

/** Writes a picture file that baret made in another format, with its record. Throws ImageError if the file is damaged. */
export async function convertPicture(
  file: Uint8Array,
  { format, quality }: Pick<EncodeOptions, "quality"> & { readonly format: PictureFormat },
): Promise<PictureFile> {
  const record = readRecord(file);
  const { picture, alpha } = await decodePhoto(file);
  const { width, height } = picture;
  return { bytes: await encodePicture(picture, { format, quality, record, alpha }), width, height };
}

async function written(image: Pixels, options: LossyOptions): Promise<Uint8Array> {
  const { format, quality } = options;
  const xmp = xmpFor(options);
  const [canvas, context] = canvasOf(image.width, image.height);
  context.putImageData(new ImageData(rgba(image), image.width, image.height), 0, 0);
  const type = `image/${format}`;
  const blob = await canvas.convertToBlob({ type, quality: quality / 100 }).catch((cause: unknown) => {
    throw new ImageError("the browser cannot write this picture", { found: (cause as Error).message, cause });
  });
  // A browser that does not know a format writes a PNG.
  if (blob.type !== type) {
    throw new ImageError("this browser cannot write this format", { found: type, advice: "Write a PNG." });
  }
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return xmp === undefined ? bytes : insertXmp(bytes, format, xmp);
}

/** Pixels with opacity, as a canvas takes them. */
function rgba({ width, height, channels, data }: Pixels): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(4 * width * height).fill(255);
  if (channels === 4) out.set(data);
  else for (let i = 0, k = 0; k < data.length; i += 4, k += 3) out.set(data.subarray(k, k + 3), i);
  return out;
}
