import { z } from "zod";
import { checkArguments, ImageError, isA, type Picture } from "../../core/index.ts";
import { withoutOrientation } from "../header/exif.ts";
import type { FileHeader } from "../header/fileHeader.ts";
import { type ReadFormat, readHeader } from "../header/header.ts";
import { type Profile, readProfile } from "../icc.ts";
import { turnUpright } from "../orient.ts";
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
  type Samples,
  someBytes,
} from "../photo.ts";
import { decodePng } from "../png/decode.ts";
import { parsePng, withoutExif } from "../png/parse.ts";
import { pixelsOf } from "./canvas.ts";

/** Formats that decodePhoto reads in a browser. */
const EXPECTED = "a PNG, JPEG, WebP, AVIF or GIF picture";

const decodeArguments = z.object({
  source: z.union([isA<Blob>("a Blob", (value) => value instanceof Blob), someBytes], {
    error: "expected a Blob, a File or the bytes of a picture file",
  }),
  options: decodeOptions,
});

/** A file whose header was read, and is within the limits. */
interface OpenedPhoto extends FileHeader {
  readonly bytes: Uint8Array;
  readonly where: string | undefined;
  readonly format: ReadFormat;
}

/** Returns the name of a file that the user chose. */
const nameOf = (source: Blob | Uint8Array): string | undefined => (source instanceof File ? source.name : undefined);

async function bytesOf(source: Blob | Uint8Array, where: string | undefined): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source.size > MAX_FILE_BYTES) {
    throw new ImageError("the file is too long", {
      where,
      found: `${source.size} bytes`,
      expected: `at most ${MAX_FILE_BYTES}`,
    });
  }
  try {
    return new Uint8Array(await source.arrayBuffer());
  } catch (cause) {
    throw new ImageError(`cannot be read: ${(cause as Error).message}`, { where, cause });
  }
}

async function open(
  source: Blob | Uint8Array,
  { maxPixels = DEFAULT_MAX_PIXELS }: DecodeOptions,
): Promise<OpenedPhoto> {
  const where = nameOf(source);
  const bytes = await bytesOf(source, where);
  const format = requireFormat(bytes, where, EXPECTED);
  if (format === "tiff") {
    throw new ImageError("a browser does not read this format", {
      where,
      found: "a TIFF",
      expected: EXPECTED,
      advice: "Save the photo as a PNG or a JPEG. baret's command line reads a TIFF.",
    });
  }
  const header = await readHeader(bytes, format);
  requireDecodable(header, maxPixels, where);
  return { ...header, bytes, where, format };
}

/** Decodes as the browser does: colours become sRGB, and opacity is kept. The file must say that it is upright. */
async function decodeByBrowser(bytes: Uint8Array, format: ReadFormat): Promise<Omit<Samples, "unusableProfile">> {
  const blob = new Blob([bytes as Uint8Array<ArrayBuffer>], { type: `image/${format}` });
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "default" }).catch((cause: unknown) => {
    throw new ImageError("corrupt or truncated", {
      found: `"${(cause as Error).message}" from the browser`,
      expected: EXPECTED,
      advice: format === "avif" ? "Some browsers do not read AVIF: save the photo as a PNG or a JPEG." : undefined,
      cause,
    });
  });
  try {
    const { width, height } = bitmap;
    return { width, height, channels: 4, data: await pixelsOf(bitmap) };
  } finally {
    bitmap.close();
  }
}

/** Decodes a PNG without a canvas, because a canvas does not give the very levels of pixels that are partly transparent. */
async function decodeOwn(bytes: Uint8Array, profile: Profile | undefined): Promise<Omit<Samples, "unusableProfile">> {
  return profile?.kind === "tables" ? decodeByBrowser(withoutExif(bytes), "png") : decodePng(parsePng(bytes), profile);
}

/** True if a PNG's profile is for its kind of colour. */
const fits = (profile: Profile, { bytes, format }: OpenedPhoto): boolean => {
  if (format !== "png") return true;
  const isGrey = parsePng(bytes).channels < 3 && !parsePng(bytes).palette;
  return profile.kind === "tables" ? profile.channels === (isGrey ? 1 : 3) : (profile.kind === "grey") === isGrey;
};

async function decode(photo: OpenedPhoto): Promise<DecodedPhoto> {
  const { bytes, format } = photo;
  const found = photo.profile && readProfile(photo.profile);
  const profile = found && fits(found, photo) ? found : undefined;
  const samples =
    format === "png"
      ? await decodeOwn(bytes, profile)
      : await decodeByBrowser(withoutOrientation(bytes, photo), format);
  const unusableProfile = photo.profile !== undefined && profile === undefined;
  return photoOf({ ...turnUpright(samples, photo.orientation), unusableProfile }, photo);
}

/** Adds the photo's name to errors, and to those of reading its parts what is expected. */
async function naming<T>(source: Blob | Uint8Array, work: () => Promise<T>): Promise<T> {
  const where = nameOf(source);
  return work().catch((cause: unknown) => {
    if (!(cause instanceof ImageError) || cause.details.where === where) throw cause;
    throw new ImageError("corrupt or truncated", { where, found: cause.message, expected: EXPECTED, cause });
  });
}

/**
 * Reads a PNG, JPEG, WebP, AVIF or GIF in a page or a Worker: turned upright by its EXIF, colour profile applied, 16 bits,
 * grey and CMYK converted. Of an animation, reads the first frame. `source` is a Blob, such as a File that the user chose,
 * or the file's bytes. A PNG gives the levels that it gives in Node. Other formats are decoded by the browser, whose levels
 * may differ by a few.
 *
 * Throws ImageError if the file is of another format (also TIFF, which browsers do not read), truncated, corrupt, empty or
 * too large (more than `maxPixels`, or 65,535 pixels along a side).
 */
export async function decodePhoto(source: Blob | Uint8Array, options: DecodeOptions = {}): Promise<DecodedPhoto> {
  checkArguments("decodePhoto", decodeArguments, { source, options });
  return naming(source, async () => decode(await open(source, options)));
}

/** Reads the header alone of what decodePhoto reads. Throws ImageError as it does, but a broken body may stay unknown. */
export async function readPhotoHeader(source: Blob | Uint8Array, options: DecodeOptions = {}): Promise<PhotoHeader> {
  checkArguments("readPhotoHeader", decodeArguments, { source, options });
  return naming(source, async () => {
    const { format, width, height, orientation } = await open(source, options);
    return orientation > 4 ? { format, width: height, height: width } : { format, width, height };
  });
}

/** Returns the picture that decodePhoto reads. Throws ImageError as it does, and if the file has several frames. */
export async function decodeImage(source: Blob | Uint8Array, options: DecodeOptions = {}): Promise<Picture> {
  checkArguments("decodeImage", decodeArguments, { source, options });
  return naming(source, async () => {
    const opened = await open(source, options);
    requireOneFrame(opened.frames, opened.where);
    return (await decode(opened)).picture;
  });
}
