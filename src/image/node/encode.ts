import sharp from "sharp";
import { z } from "zod";
import { aPicture, checkArguments, type Picture } from "../../core/index.ts";
import { insertPngText } from "../pngText.ts";

const encodeArguments = z.object({ picture: aPicture, text: z.record(z.string(), z.string()) });

/** Writes a PNG. `text` becomes iTXt chunks in its order: keyword (1 to 79 Latin-1 characters) to UTF-8 text. */
export async function encodePng(picture: Picture, text: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  checkArguments("encodePng", encodeArguments, { picture, text });
  const { width, height, data } = picture;
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return insertPngText(png, text);
}
