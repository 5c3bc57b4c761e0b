import { joinBytes } from "../../core/index.ts";
import { mergeOrientations, type Orientation, readOrientation } from "./exif.ts";
import type { FileHeader } from "./fileHeader.ts";
import { ascii, corrupt, requireBytes, viewOf } from "./reader.ts";

/** Markers of ITU-T T.81, table B.1. */
const [startOfImage, endOfImage, startOfScan, app1, app2] = [0xd8, 0xd9, 0xda, 0xe1, 0xe2];
/** SOF0 to SOF15 without DHT, JPG and DAC, which have numbers between them. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
/** TEM, RST0 to RST7 and SOI stand alone, without a length. */
const standsAlone = (marker: number): boolean => marker === 1 || (marker >= 0xd0 && marker <= startOfImage);

const EXIF = "Exif\0\0";
const ICC = "ICC_PROFILE\0";

interface Segment {
  readonly marker: number;
  readonly content: Uint8Array;
  /** Offset of the content in the file. */
  readonly at: number;
}

/** Returns the segments of a JPEG up to its end. Throws ImageError if it ends before its EOI marker. */
function* segments(jpeg: Uint8Array): Generator<Segment> {
  const view = viewOf(jpeg);
  for (let at = 2; ; ) {
    // Fill bytes may come before a marker, and entropy-coded data before the next segment. There, 0xff is followed by 0.
    at = jpeg.indexOf(0xff, at);
    if (at < 0 || at + 1 >= jpeg.length) throw corrupt("a JPEG without its last bytes");
    const marker = jpeg[at + 1];
    at += marker === 0xff ? 1 : 2;
    if (marker === 0xff || marker === 0 || standsAlone(marker)) continue;
    if (marker === endOfImage) return;
    requireBytes(jpeg, at + 2, "a segment");
    const length = view.getUint16(at);
    if (length < 2) throw corrupt(`a segment of ${length} bytes at byte ${at}`);
    requireBytes(jpeg, at + length, "a segment");
    yield { marker, content: jpeg.subarray(at + 2, at + length), at: at + 2 };
    at += length;
  }
}

/** Puts the pieces of an ICC profile in order: each begins with its number from 1 and their count (ICC.1:2010, B.4). */
function joinProfile(pieces: readonly Uint8Array[]): Uint8Array | undefined {
  if (pieces.length === 0) return undefined;
  return joinBytes(pieces.toSorted((a, b) => a[0] - b[0]).map((piece) => piece.subarray(2)));
}

/** Returns the header of a JPEG (ITU-T T.81). Throws ImageError if the file is truncated. */
export function jpegHeader(jpeg: Uint8Array): FileHeader {
  const orientations: Orientation[] = [];
  const profile: Uint8Array[] = [];
  let size: { readonly width: number; readonly height: number } | undefined;
  let scans = 0;
  for (const { marker, content, at } of segments(jpeg)) {
    if (marker === startOfScan) scans++;
    else if (marker === app1 && ascii(content, 0, EXIF.length) === EXIF) {
      orientations.push(readOrientation(content.subarray(EXIF.length), at + EXIF.length));
    } else if (marker === app2 && ascii(content, 0, ICC.length) === ICC) profile.push(content.subarray(ICC.length));
    else if (isFrame(marker) && !size) {
      if (content.length < 6) throw corrupt("a short frame header");
      const view = viewOf(content);
      size = { width: view.getUint16(3), height: view.getUint16(1) };
    }
  }
  if (!size || scans === 0) throw corrupt("a JPEG without pixels");
  if (size.width === 0 || size.height === 0) throw corrupt(`a size of ${size.width}x${size.height}`);
  return { ...size, ...mergeOrientations(orientations), frames: 1, profile: joinProfile(profile) };
}
