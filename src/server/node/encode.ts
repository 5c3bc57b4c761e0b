import { readRecord } from "../../image/index.ts";
import { decodePhoto, encodePicture } from "../../image/node/index.ts";
import type { EncodedPicture, EncodingOptions } from "../http/dialect.ts";

/** Writes a picture file in another format. The record of its settings, if it has one, stays in it. Throws ImageError. */
export async function encodeAs(file: Uint8Array, { format, quality }: EncodingOptions): Promise<EncodedPicture> {
  const { picture, alpha, format: given } = await decodePhoto(file);
  const { width, height } = picture;
  if (given === format && quality === undefined) return { bytes: file, width, height };
  const record = given === "png" || given === "jpeg" || given === "webp" ? readRecord(file) : undefined;
  const bytes = await encodePicture(picture, { format, quality, record, alpha: format === "jpeg" ? undefined : alpha });
  return { bytes, width, height };
}
