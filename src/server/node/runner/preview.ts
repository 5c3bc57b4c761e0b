import sharp from "sharp";
import type { Picture } from "../../../core/index.ts";

/** Longest side of a preview in pixels, and largest length of its data URL. */
const [SIDE, LENGTH] = [512, 64_000];

/** Returns a picture as a small WebP in a data URL: with less quality if it is too long. */
export async function previewUrl({ width, height, data }: Picture): Promise<string> {
  for (let quality = 80; ; quality -= 20) {
    const small = sharp(data, { raw: { width, height, channels: 3 } }).resize(SIDE, SIDE, {
      fit: "inside",
      withoutEnlargement: true,
    });
    const bytes = await small.webp({ quality: Math.max(1, quality) }).toBuffer();
    const url = `data:image/webp;base64,${bytes.toString("base64")}`;
    if (url.length <= LENGTH || quality <= 0) return url;
  }
}
