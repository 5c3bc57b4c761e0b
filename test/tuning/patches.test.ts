import { expect, test } from "vitest";
import { fitImage } from "../../src/image/index.ts";
import { drawBoxes, patchOf } from "../../src/tuning/index.ts";
import { smoothPicture } from "../support/baret.ts";

const grid = { width: 32, height: 20 };
const draw = (k: number, more: object = {}) => drawBoxes({ grid, batch: 1, seed: 0, ...more }, k);

test("a step's boxes depend on seed and step alone, and a larger batch begins with those of a smaller one", () => {
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7, { batch: 3 })[0]).toEqual(draw(7)[0]);
  for (const other of [draw(8), draw(7, { seed: 1 })]) expect(other).not.toEqual(draw(7));
});

test("boxes lie inside the photo, with sides from a tenth of its own on, drawn uniformly and independently", () => {
  const boxes = Array.from({ length: 2000 }, (_, k) => draw(k)[0]);
  for (const { left, top, width, height } of boxes) {
    expect(left >= 0 && top >= 0 && left + width <= 32 && top + height <= 20).toBe(true);
    expect(width >= 3 && height >= 2).toBe(true);
  }
  const mean = (of: (box: (typeof boxes)[0]) => number) => boxes.reduce((sum, box) => sum + of(box), 0) / boxes.length;
  // Uniform in 0.1 … 1, less the half that rounding down takes.
  expect(mean(({ width }) => (width + 0.5) / 32)).toBeCloseTo(0.55, 1);
  expect(mean(({ height }) => (height + 0.5) / 20)).toBeCloseTo(0.55, 1);
  const product = mean(({ width, height }) => ((width + 0.5) / 32 - 0.55) * ((height + 0.5) / 20 - 0.55));
  expect(Math.abs(product)).toBeLessThan(5 * (0.26 ** 2 / Math.sqrt(2000)));
});

test("a side is never less than one pixel of the latent", () => {
  const small = Array.from(
    { length: 200 },
    (_, k) => drawBoxes({ grid: { width: 2, height: 1 }, batch: 1, seed: 0 }, k)[0],
  );
  for (const { width, height } of small) expect(Math.min(width, height)).toBe(1);
});

test("the patch of the box of everything is the photo", () => {
  const photo = smoothPicture(2);
  const box = { left: 0, top: 0, width: 8, height: 8 };
  expect(patchOf(photo, box, 8, { width: 64, height: 64 })).toEqual(photo);
  const part = patchOf(photo, { left: 2, top: 1, width: 3, height: 4 }, 8, { width: 24, height: 32 });
  expect(part.data.subarray(0, 3)).toEqual(photo.data.subarray(3 * (8 * 64 + 16), 3 * (8 * 64 + 16) + 3));
  expect(patchOf(photo, box, 8, { width: 32, height: 32 })).toEqual(fitImage(photo, { width: 32, height: 32 }));
});
