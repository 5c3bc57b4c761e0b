import { ImageError, type Mask, type Picture } from "../core/index.ts";

/** Throws ImageError if two pictures or masks differ in size. */
export function requireSameSize(a: Pick<Picture, "width" | "height">, b: Pick<Picture, "width" | "height">): void {
  if (a.width === b.width && a.height === b.height) return;
  throw new ImageError("pictures that are compared must have the same size", {
    found: `${a.width}x${a.height} and ${b.width}x${b.height}`,
  });
}

/** Converts a mean squared error on a scale of 0..1 to decibels. */
const decibels = (error: number): number => -10 * Math.log10(error);

/**
 * Returns the mean squared error over all pixels and channels, on a scale of 0..1. With a mask, over the pixels that it sets;
 * undefined if it sets none. Throws ImageError if sizes differ.
 */
export function squaredError(a: Picture, b: Picture): number;
export function squaredError(a: Picture, b: Picture, within: Mask): number | undefined;
export function squaredError(a: Picture, b: Picture, within?: Mask): number | undefined {
  requireSameSize(a, b);
  if (within) requireSameSize(a, within);
  let sum = 0;
  let pixels = 0;
  for (let i = 0; i < a.width * a.height; i++) {
    if (within && within.data[i] === 0) continue;
    for (let k = 3 * i; k < 3 * i + 3; k++) sum += (a.data[k] - b.data[k]) ** 2;
    pixels++;
  }
  return pixels === 0 ? undefined : sum / (3 * pixels * 255 ** 2);
}

/**
 * Peak signal-to-noise ratio in decibels: 10·log10(1/squaredError), infinite for equal pictures. With a mask, over the
 * pixels that it sets; undefined if it sets none. Throws ImageError if sizes differ.
 */
export function psnr(a: Picture, b: Picture): number;
export function psnr(a: Picture, b: Picture, within: Mask): number | undefined;
export function psnr(a: Picture, b: Picture, within?: Mask): number | undefined {
  const error = within ? squaredError(a, b, within) : squaredError(a, b);
  return error === undefined ? undefined : decibels(error);
}
