import { readOrientation, UPRIGHT } from "./exif.ts";
import type { FileHeader } from "./fileHeader.ts";
import { ascii, corrupt, requireBytes, viewOf } from "./reader.ts";

/** A chunk of a WebP. */
export interface WebpChunk {
  readonly type: string;
  readonly content: Uint8Array;
  /** Offset of the content in the file. */
  readonly at: number;
}

/** Returns the chunks of a WebP (RFC 9649, 2.3). Throws ImageError if one reaches beyond the file, or the file is too short. */
export function* webpChunks(webp: Uint8Array): Generator<WebpChunk> {
  const view = viewOf(webp);
  requireBytes(webp, 12, "a header");
  const end = 8 + view.getUint32(4, true);
  requireBytes(webp, end, "a WebP");
  for (let at = 12; at + 8 <= end; ) {
    const length = view.getUint32(at + 4, true);
    requireBytes(webp, at + 8 + length, "a chunk");
    yield { type: ascii(webp, at, at + 4), content: webp.subarray(at + 8, at + 8 + length), at: at + 8 };
    // Chunks are padded to an even length.
    at += 8 + length + (length % 2);
  }
}

const uint24 = (bytes: Uint8Array, at: number): number => bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);

/** Size in a chunk of pixels, or of the canvas. RFC 6386, 9.1; RFC 9649, 3.4 and 2.7.1. */
export function webpSize({ type, content }: WebpChunk): { width: number; height: number } | undefined {
  const view = viewOf(content);
  if (type === "VP8X" && content.length >= 10) {
    return { width: 1 + uint24(content, 4), height: 1 + uint24(content, 7) };
  }
  if (type === "VP8 " && content.length >= 10) {
    return { width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff };
  }
  if (type === "VP8L" && content.length >= 5) {
    const bits = view.getUint32(1, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  return undefined;
}

const EXIF = "Exif\0\0";

/** Returns the header of a WebP. Throws ImageError if the file is truncated. */
export function webpHeader(webp: Uint8Array): FileHeader {
  let size: { width: number; height: number } | undefined;
  let orientation = UPRIGHT;
  let profile: Uint8Array | undefined;
  let animated = 0;
  for (const chunk of webpChunks(webp)) {
    size ??= webpSize(chunk);
    const { type, content, at } = chunk;
    if (type === "ANMF") animated++;
    else if (type === "ICCP") profile ??= content;
    else if (type === "EXIF") {
      // Some writers begin as in a JPEG.
      const start = ascii(content, 0, EXIF.length) === EXIF ? EXIF.length : 0;
      orientation = readOrientation(content.subarray(start), at + start);
    }
  }
  if (!size || size.width === 0 || size.height === 0) throw corrupt("a WebP without pixels");
  return { ...size, ...orientation, frames: Math.max(1, animated), profile };
}
