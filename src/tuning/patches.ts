import { type Picture, Random, type Size } from "../core/index.ts";
import { crop, resize } from "../image/index.ts";
import type { GridBox } from "../models/index.ts";

/** Sides of a patch as shares of the photo's, drawn uniformly and independently. */
const [least, most] = [0.1, 1];

export interface BoxSource {
  /** Size of the photo, in pixels of its latent. */
  readonly grid: Size;
  /** Boxes in a step. */
  readonly batch: number;
  readonly seed: number;
}

/** Draws the boxes of the patches of training step k ≥ 0. As with examples, every step has a stream of its own. */
export function drawBoxes({ grid, batch, seed }: BoxSource, k: number): GridBox[] {
  // Streams from the last one down: those from 0 up are the examples'.
  const random = new Random(seed, 0xffffffff - k);
  const side = (whole: number): number => Math.max(1, Math.floor(whole * (random.uniform() * (most - least) + least)));
  return Array.from({ length: batch }, () => {
    const [height, width] = [side(grid.height), side(grid.width)];
    const top = random.below(grid.height - height + 1);
    return { left: random.below(grid.width - width + 1), top, width, height };
  });
}

/** Cuts a box out of the photo and resizes it. factor: pixels of the photo for one of its latent. */
export const patchOf = (photo: Picture, box: GridBox, factor: number, { width, height }: Size): Picture => {
  const [left, top, boxWidth, boxHeight] = [box.left, box.top, box.width, box.height].map((n) => n * factor);
  return resize(crop(photo, left, top, boxWidth, boxHeight), width, height, "bicubic");
};
