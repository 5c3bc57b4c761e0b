import { ImageError } from "../core/index.ts";
import { sniff } from "./formats.ts";
import { readPngText } from "./pngText.ts";
import { recordInXmp, xmpOfJpeg, xmpOfWebp } from "./xmp.ts";

/** Keyword of the record among a PNG's texts. */
export const RECORD_KEYWORD = "baret";

/**
 * Returns the record that encodePicture wrote into a PNG (as iTXt), a JPEG or a WebP (as XMP). Undefined if there is none. Throws
 * ImageError if the file is of another format or is damaged.
 */
export function readRecord(bytes: Uint8Array): string | undefined {
  const { format, name } = sniff(bytes);
  if (format === "png") return readPngText(bytes)[RECORD_KEYWORD];
  if (format !== "jpeg" && format !== "webp") {
    throw new ImageError("a picture of this format has no record", { found: name, expected: "a PNG, JPEG or WebP" });
  }
  for (const packet of format === "jpeg" ? xmpOfJpeg(bytes) : xmpOfWebp(bytes)) {
    const record = recordInXmp(packet);
    if (record !== undefined) return record;
  }
  return undefined;
}
