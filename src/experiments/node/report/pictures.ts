import { join } from "node:path";
import { ImageError, type Picture } from "../../../core/index.ts";
import { resize } from "../../../image/index.ts";
import { decodeImage, encodePicture } from "../../../image/node/index.ts";
import type { PagePicture } from "../../report/page/pictures.ts";
import type { Shown } from "../../report/report.ts";

/**
 * Longest side of a picture in a page, in pixels. A page of 2,000 pictures would else be too large to open. Other pictures
 * than photos and edits have words in them, as maps of attention have, and are few.
 */
export const sideOf = (role: Shown["role"]): number => (role === "other" ? 960 : 384);
const QUALITY = 82;

/** Reads a picture of a run. Returns undefined if the file does not exist or is damaged. */
export const readPicture = (folder: string, file: string): Promise<Picture | undefined> =>
  decodeImage(join(folder, file)).catch((error) => {
    if (error instanceof ImageError) return undefined;
    throw error;
  });

/** Shrinks a picture so that its longest side is at most `most`. */
function shrunk(picture: Picture, most: number): Picture {
  const { width, height } = picture;
  const scale = most / Math.max(width, height);
  if (scale >= 1) return picture;
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  return resize(picture, side(width), side(height), "bicubic");
}

/** Encodes a picture as WebP in a data URI. Equal pictures give equal texts. side: its longest side at most. */
export async function pagePicture(picture: Picture, side: number): Promise<PagePicture> {
  const small = shrunk(picture, side);
  const bytes = await encodePicture(small, { format: "webp", quality: QUALITY });
  const uri = `data:image/webp;base64,${Buffer.from(bytes).toString("base64")}`;
  return { uri, width: small.width, height: small.height };
}
