import sharp from "sharp";
import { z } from "zod";
import { checkArguments, ImageError, isA, type Picture, someText, whole } from "../../core/index.ts";
import { readRegular, wordsOf } from "../../storage/node.ts";
import { layOverWhite } from "../alpha.ts";
import { isPng, pngChunks } from "../pngText.ts";
import { longestSide } from "../resize.ts";
import { decodeSamples } from "./samples.ts";

export interface DecodeOptions {
  /** Pictures with more pixels are refused before they are decoded. Default 100 million. Sides are at most 65,535. */
  maxPixels?: number;
}

const decodeArguments = z.object({
  source: z.union([someText, isA<Uint8Array>("bytes", (value) => value instanceof Uint8Array)], {
    error: "expected a path or the bytes of a picture file",
  }),
  options: z.strictObject({ maxPixels: whole(1, Number.MAX_SAFE_INTEGER).optional() }),
});

const expected = "a PNG, JPEG or WebP picture";
/** More than any picture within the default pixel limit needs, and what one Buffer can hold. */
const maxFileBytes = 1024 ** 3;

/** First bytes that tell what a file is; so what we refuse can be named, and sharp sees only what we accept. */
const kinds: readonly { name: string; accepted?: true; test: (head: Buffer) => boolean }[] = [
  { name: "PNG", accepted: true, test: isPng },
  { name: "JPEG", accepted: true, test: (h) => h.subarray(0, 3).equals(Buffer.of(0xff, 0xd8, 0xff)) },
  { name: "WebP", accepted: true, test: (h) => ascii(h, 0, 4) === "RIFF" && ascii(h, 8, 12) === "WEBP" },
  { name: "a GIF", test: (h) => ascii(h, 0, 4) === "GIF8" },
  { name: "a TIFF", test: (h) => ["II*\0", "MM\0*"].includes(ascii(h, 0, 4)) },
  { name: "a BMP", test: (h) => ascii(h, 0, 2) === "BM" },
  { name: "an AVIF", test: (h) => ascii(h, 4, 12) === "ftypavif" },
  { name: "a HEIC", test: (h) => /^ftyp(heic|heix|mif1|hevc)/.test(ascii(h, 4, 12)) },
  { name: "a PDF", test: (h) => ascii(h, 0, 5) === "%PDF-" },
  { name: "an SVG, XML or HTML", test: (h) => /^\uFEFF?\s*</.test(h.toString("utf8")) },
];

const ascii = (bytes: Buffer, from: number, to: number): string => bytes.toString("latin1", from, to);

/** libvips reports one fault a line, some of them many times. */
const reason = (error: unknown): string =>
  error instanceof Error
    ? [...new Set(error.message.trim().split("\n"))].slice(0, 3).join("; ").replace(/:$/, "")
    : String(error);

async function readPicture(path: string): Promise<Buffer> {
  try {
    return await readRegular(path, maxFileBytes);
  } catch (cause) {
    throw new ImageError(`cannot be read: ${wordsOf(cause)}`, { where: path, cause });
  }
}

/** Frames of an APNG, which sharp would silently take for its first one. */
function pngFrames(bytes: Buffer): number {
  for (const { type, data } of pngChunks(bytes)) {
    if (type === "acTL") return Buffer.from(data).readUInt32BE(0);
    if (type === "IDAT") return 1;
  }
  return 1;
}

async function decode(bytes: Buffer, maxPixels: number, where: string | undefined): Promise<Picture> {
  if (bytes.length === 0) throw new ImageError("empty file", { where, found: "0 bytes", expected });
  const kind = kinds.find(({ test }) => test(bytes.subarray(0, 64)));
  if (!kind?.accepted) {
    throw new ImageError("not a picture that baret reads", {
      where,
      found: kind?.name ?? "an unknown format",
      expected,
    });
  }
  const header = await sharp(bytes, { limitInputPixels: false }).metadata();
  // A decoder holds whole rows, and takes its time for each: within the pixel limit, one row would take gigabytes.
  if (Math.max(header.width, header.height) > longestSide) {
    throw new ImageError("a side is too long", {
      where,
      found: `${header.width}x${header.height}`,
      expected: `at most ${longestSide} pixels along each side`,
    });
  }
  const pixels = header.width * header.height;
  if (pixels > maxPixels) {
    throw new ImageError("too many pixels", {
      where,
      found: `${header.width}x${header.height} = ${pixels}`,
      expected: `at most ${maxPixels}`,
    });
  }
  const frames = Math.max(header.pages ?? 1, kind.name === "PNG" ? pngFrames(bytes) : 1);
  if (frames > 1) throw new ImageError("animated", { where, found: `${frames} frames`, expected: "one picture" });
  const { width, height, channels, data } = await decodeSamples(bytes, header, maxPixels);
  if (channels > 4) throw new ImageError("colours", { where, found: `${channels} channels`, expected: "at most 4" });
  return channels === 4 ? layOverWhite(data, width, height).picture : { width, height, data };
}

/**
 * Reads a PNG, JPEG or WebP as 8-bit sRGB: oriented by its EXIF, colour profile applied, alpha laid over white, 16-bit
 * and grey converted. Throws ImageError if the source is anything else: another format, animated, truncated, corrupt,
 * empty, or too large (more than `maxPixels`, or 65,535 pixels along a side). `source` is a path or the file's bytes.
 */
export async function decodeImage(source: Uint8Array | string, options: DecodeOptions = {}): Promise<Picture> {
  checkArguments("decodeImage", decodeArguments, { source, options });
  const where = typeof source === "string" ? source : undefined;
  const bytes =
    typeof source === "string"
      ? await readPicture(source)
      : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  return decode(bytes, options.maxPixels ?? 100_000_000, where).catch((cause) => {
    if (cause instanceof ImageError && cause.details.where === where) throw cause;
    throw new ImageError("corrupt or truncated", { where, found: reason(cause), expected, cause });
  });
}
