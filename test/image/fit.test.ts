import { describe, expect, test } from "vitest";
import { ImageError, type Picture } from "../../src/core/index.ts";
import { crop, fitImage, pictureToTensor, tensorToPicture } from "../../src/image/index.ts";

/** Red is the column, green the row, blue 7. */
const ramp = (width: number, height: number): Picture => ({
  width,
  height,
  data: Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => [Math.floor(i / 3) % width, Math.floor(i / 3 / width), 7][i % 3],
  ),
});
const pixel = ({ width, data }: Picture, x: number, y: number): number[] => [
  ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
];

describe("fitImage", () => {
  test("crop keeps the centre", () => {
    const fitted = fitImage(ramp(100, 40), { width: 40, height: 40, multiple: 8 });
    expect(pixel(fitted, 0, 0)).toEqual([30, 0, 7]);
    expect(pixel(fitted, 39, 39)).toEqual([69, 39, 7]);
  });

  test("pad keeps every pixel and repeats the outermost ones", () => {
    const picture = ramp(16, 8);
    const fitted = fitImage(picture, { width: 16, height: 16, mode: "pad" });
    expect(crop(fitted, 0, 4, 16, 8)).toEqual(picture);
    for (const y of [0, 3]) expect(pixel(fitted, 5, y)).toEqual([5, 0, 7]);
    for (const y of [12, 15]) expect(pixel(fitted, 5, y)).toEqual([5, 7, 7]);
  });

  test("stretch keeps the corners' neighbourhoods", () => {
    const fitted = fitImage(ramp(64, 32), { width: 32, height: 32, mode: "stretch" });
    expect(pixel(fitted, 0, 0)[0]).toBeLessThan(3);
    expect(pixel(fitted, 31, 31)[0]).toBeGreaterThan(60);
  });

  test.each(["crop", "pad", "stretch"] as const)("%s gives the requested size, square or not", (mode) => {
    for (const [width, height] of [
      [8, 8],
      [64, 8],
      [8, 72],
      [512, 8],
    ]) {
      for (const picture of [ramp(1, 1), ramp(1, 200), ramp(200, 1), ramp(31, 57)]) {
        const fitted = fitImage(picture, { width, height, multiple: 8, mode });
        expect([fitted.width, fitted.height, fitted.data.length]).toEqual([width, height, width * height * 3]);
      }
    }
  });

  test("missing sizes follow the picture, in multiples of the factor", () => {
    const size = ({ width, height }: Picture): number[] => [width, height];
    expect(size(fitImage(ramp(101, 50), { multiple: 8 }))).toEqual([104, 48]);
    expect(size(fitImage(ramp(100, 50), { width: 64, multiple: 8 }))).toEqual([64, 32]);
    expect(size(fitImage(ramp(3, 3), { multiple: 8 }))).toEqual([8, 8]);
  });

  test("a picture of the right size is not changed", () => {
    expect(fitImage(ramp(24, 16), { width: 24, height: 16, multiple: 8 })).toEqual(ramp(24, 16));
  });

  test("all sizes that are no multiples are named", () => {
    expect(() => fitImage(ramp(9, 9), { width: 12, height: 20, multiple: 8 })).toThrow(
      "found width 12, height 20, expected positive multiples of 8",
    );
    expect(() => fitImage(ramp(9, 9), { width: 0 })).toThrow(ImageError);
  });
});

describe("picture tensors", () => {
  const levels: Picture = {
    width: 16,
    height: 16,
    data: Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)),
  };

  test("pictureToTensor is x/127.5 − 1, planes first", () => {
    const { shape, data } = pictureToTensor(ramp(3, 2));
    expect(shape).toEqual([1, 3, 2, 3]);
    const planes = [0, 1, 2, 0, 1, 2, 0, 0, 0, 1, 1, 1, 7, 7, 7, 7, 7, 7];
    data.forEach((value, i) => {
      expect(value).toBeCloseTo(planes[i] / 127.5 - 1, 6);
    });
  });

  test("rounding to nearest brings every level back", () => {
    expect(tensorToPicture(pictureToTensor(levels), { rounding: "nearest" })).toEqual(levels);
  });

  test("truncation is at most one level below", () => {
    const back = tensorToPicture(pictureToTensor(levels)).data;
    expect(levels.data.every((v, i) => v - back[i] === 0 || v - back[i] === 1)).toBe(true);
  });

  test("values beyond [−1, 1] are clamped", () => {
    const data = Float32Array.of(-7, 7, 0);
    expect([...tensorToPicture({ shape: [1, 3, 1, 1], data }).data]).toEqual([0, 255, 127]);
  });

  test("another shape, or a value that is not a number, is refused", () => {
    expect(() => tensorToPicture({ shape: [2, 3, 1, 1], data: new Float32Array(6) })).toThrow("[2, 3, 1, 1]");
    expect(() => tensorToPicture({ shape: [1, 3, 1, 1], data: Float32Array.of(0, Number.NaN, 0) })).toThrow(
      "not a number",
    );
  });
});
