import { inflateProfile } from "../png/inflate.ts";
import { parsePng } from "../png/parse.ts";
import { mergeOrientations, readOrientation } from "./exif.ts";
import type { FileHeader } from "./fileHeader.ts";

/** Returns the header of a PNG. Throws ImageError if the file is damaged. */
export async function pngHeader(png: Uint8Array): Promise<FileHeader> {
  const { width, height, frames, exif, profile } = parsePng(png);
  // The own decoder knows no EXIF, so there is nothing to make upright before decoding.
  const { orientation } = exif ? readOrientation(exif, 0) : mergeOrientations([]);
  return { width, height, frames, orientation, places: [], profile: profile && (await inflateProfile(profile)) };
}
