import type { Mask, Picture } from "../core/index.ts";
import { type FitOptions, fitImage } from "./fit.ts";

/** Returns the mask of a picture's bright pixels: those whose mean of red, green and blue is at least 128. */
export function brightPixels({ width, height, data }: Picture): Mask {
  const isBright = (k: number): boolean => data[3 * k] + data[3 * k + 1] + data[3 * k + 2] >= 3 * 128;
  return { width, height, data: Uint8Array.from({ length: width * height }, (_, k) => (isBright(k) ? 255 : 0)) };
}

/** Resizes a mask: each pixel is that at the same share of the sides, rounded down, as PyTorch's nearest interpolation does. */
export function resizeMask(mask: Mask, width: number, height: number): Mask {
  if (mask.width === width && mask.height === height) return mask;
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++) data[y * width + x] = mask.data[row + Math.floor((x * mask.width) / width)];
  }
  return { width, height, data };
}

/** Fits a mask as fitImage fits its picture. A pixel is set if at least half of it was. */
export function fitMask(mask: Mask, options: FitOptions): Mask {
  const { width, height, data } = fitImage(mask, options);
  return { width, height, data: data.map((byte) => (byte >= 128 ? 255 : 0)) };
}
