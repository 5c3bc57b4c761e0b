import { viewOf } from "./reader.ts";

/** EXIF 2.32, tag 274: how the stored picture is turned. 1 is upright, 2 to 8 are its mirrors and turns. */
export interface Orientation {
  readonly orientation: number;
  /** Where the file stores it, so that `withoutOrientation` can make it 1: the offset of its lower byte. */
  readonly places: readonly number[];
}

export const UPRIGHT: Orientation = { orientation: 1, places: [] };

const ORIENTATION = 274;
const SHORT = 3;

/**
 * Reads the orientation from EXIF data, a TIFF structure. Upright if it has none or is damaged: pixels do not depend on it.
 * at: where the data begins in the file.
 */
export function readOrientation(exif: Uint8Array, at: number): Orientation {
  const view = viewOf(exif);
  if (exif.length < 8) return UPRIGHT;
  const little = view.getUint16(0) === 0x4949;
  if (!little && view.getUint16(0) !== 0x4d4d) return UPRIGHT;
  const first = view.getUint32(4, little);
  if (first + 2 > exif.length) return UPRIGHT;
  const entries = view.getUint16(first, little);
  for (let k = 0; k < entries; k++) {
    const entry = first + 2 + 12 * k;
    if (entry + 12 > exif.length) return UPRIGHT;
    if (view.getUint16(entry, little) !== ORIENTATION || view.getUint16(entry + 2, little) !== SHORT) continue;
    const orientation = view.getUint16(entry + 8, little);
    if (orientation < 1 || orientation > 8) return UPRIGHT;
    return { orientation, places: [at + entry + (little ? 8 : 9)] };
  }
  return UPRIGHT;
}

/** Returns the orientation of several pieces of EXIF data: the first counts, and all places are kept. */
export function mergeOrientations(found: readonly Orientation[]): Orientation {
  return { orientation: found[0]?.orientation ?? 1, places: found.flatMap(({ places }) => places) };
}

/** Returns a copy of a file that says it is upright, for decoders of which some heed the orientation and some do not. */
export function withoutOrientation(file: Uint8Array, { places }: Orientation): Uint8Array {
  if (places.length === 0) return file;
  const copy = file.slice();
  for (const place of places) copy[place] = 1;
  return copy;
}
