import type { Picture } from "../../core/index.ts";
import { readRecord } from "../../image/index.ts";
import { decodePhoto, encodePicture } from "../../image/web/index.ts";
import type { DecodedPhoto, PagePictures } from "../page/index.ts";
import type { PngFacts } from "../runner/index.ts";

/** Longest side of a preview in pixels. */
const PREVIEW_SIDE = 512;
const QUALITY = 0.82;

/** Returns a picture as WebP with at most `side` pixels along each side. */
async function small(picture: ImageBitmapSource, side: number): Promise<Blob> {
  const whole = await createImageBitmap(picture);
  const scale = Math.min(1, side / Math.max(whole.width, whole.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(whole.width * scale)),
    Math.max(1, Math.round(whole.height * scale)),
  );
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(whole, 0, 0, canvas.width, canvas.height);
  whole.close();
  return canvas.convertToBlob({ type: "image/webp", quality: QUALITY });
}

async function dataUrl(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return `data:${blob.type};base64,${btoa(text)}`;
}

function imageData({ width, height, data }: Picture): ImageData {
  const made = new ImageData(width, height);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    made.data[to] = data[from];
    made.data[to + 1] = data[from + 1];
    made.data[to + 2] = data[from + 2];
    made.data[to + 3] = 255;
  }
  return made;
}

/** Returns the record in a picture. A picture without one, or with a damaged one, is a photo as any other. */
function recordIn(bytes: Uint8Array): string | undefined {
  try {
    return readRecord(bytes);
  } catch {
    return undefined;
  }
}

/** Decodes and encodes pictures in a browser's worker. */
export const webPictures: PagePictures = {
  async decode(photo: Blob, maxPixels: number): Promise<DecodedPhoto> {
    const bytes = new Uint8Array(await photo.arrayBuffer());
    const { picture, alpha, warnings } = await decodePhoto(bytes, { maxPixels });
    const record = recordIn(bytes);
    return {
      width: picture.width,
      height: picture.height,
      png: await encodePicture(picture, { format: "png", alpha }),
      warnings: warnings.map(({ message }) => message),
      ...(record !== undefined && { record }),
    };
  },
  encodePng: (picture: Picture, facts: PngFacts) => encodePicture(picture, { format: "png", ...facts }),
  encodePreview: async (picture) => dataUrl(await small(imageData(picture), PREVIEW_SIDE)),
};

/** Returns a small copy of a stored picture as WebP. */
export const thumbnail = (picture: Blob, side: number): Promise<Blob> => small(picture, side);
