import { describe, expect, test } from "vitest";
import { ImageError, type IntTensor, type Mask, type Picture, Random } from "../../src/core/index.ts";
import { psnr, squaredError, ssim } from "../../src/metrics/index.ts";
import { fixture } from "../support/run.ts";
import { fixtures, readJson } from "./folders.ts";

/** Any picture, from a seed. */
function picture(width: number, height: number, seed: number): Picture {
  const random = new Random(seed);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)) };
}
const mask = ({ width, height }: Picture, isSet: (x: number, y: number) => boolean): Mask => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height }, (_, i) => (isSet(i % width, Math.floor(i / width)) ? 255 : 0)),
});
const mapped = (p: Picture, f: (byte: number, i: number) => number): Picture => ({ ...p, data: p.data.map(f) });

// Made by tools/parity/metrics.py with scikit-image.
describe("values equal those of scikit-image", async () => {
  const pictures = await fixture(`${fixtures}metrics.safetensors`);
  const { figures } = readJson("metrics.json") as { figures: { psnr: number; ssim: number }[] };
  const at = (key: string): Picture => {
    const { shape, data } = pictures[key] as IntTensor;
    return { width: shape[1], height: shape[0], data: Uint8Array.from(data) };
  };

  test.each([...figures.entries()])("pair %i", (i, figure) => {
    const [a, b] = [at(`a${i}`), at(`b${i}`)];
    expect(psnr(a, b)).toBeCloseTo(figure.psnr, 9);
    expect(ssim(a, b)).toBeCloseTo(figure.ssim, 9);
  });
});

const seeds = [1, 2, 3, 4, 5];

test.each(seeds)("equal pictures have error 0, infinite PSNR and SSIM 1 (seed %i)", (seed) => {
  const a = picture(23, 17, seed);
  expect(squaredError(a, a)).toBe(0);
  expect(psnr(a, a)).toBe(Number.POSITIVE_INFINITY);
  expect(ssim(a, a)).toBe(1);
});

test.each(seeds)("order and mirroring do not matter (seed %i)", (seed) => {
  const [a, b] = [picture(19, 14, seed), picture(19, 14, seed + 100)];
  const mirror = (p: Picture): Picture =>
    mapped(
      p,
      (_, i) =>
        p.data[3 * (p.width * Math.floor(i / 3 / p.width) + p.width - 1 - (Math.floor(i / 3) % p.width)) + (i % 3)],
    );
  for (const figure of [squaredError, psnr, ssim]) {
    expect(figure(b, a)).toBe(figure(a, b));
    expect(figure(mirror(a), mirror(b))).toBeCloseTo(figure(a, b), 12);
  }
});

test("a step of one grey level in every byte is 20·log10(255) dB; black and white are 0 dB", () => {
  const grey = mapped(picture(12, 12, 1), (byte) => byte % 255);
  expect(
    psnr(
      grey,
      mapped(grey, (byte) => byte + 1),
    ),
  ).toBeCloseTo(20 * Math.log10(255), 12);
  const black = mapped(grey, () => 0);
  expect(
    psnr(
      black,
      mapped(grey, () => 255),
    ),
  ).toBeCloseTo(0, 12);
});

test("PSNR and SSIM fall as noise grows", () => {
  const a = mapped(picture(40, 40, 1), (_, i) => 128 + Math.round(60 * Math.sin(i / 37)));
  const noise = picture(40, 40, 2).data;
  const spoiled = [2, 8, 32, 64].map((size) =>
    mapped(a, (byte, i) => byte + Math.round((noise[i] / 255 - 0.5) * size)),
  );
  for (const figures of [spoiled.map((b) => psnr(a, b)), spoiled.map((b) => ssim(a, b))]) {
    expect(figures).toEqual([...figures].sort((x, y) => y - x));
    expect(new Set(figures).size).toBe(4);
  }
});

describe("inside a mask", () => {
  const [a, b] = [picture(20, 13, 7), picture(20, 13, 8)];
  const left = mask(a, (x) => x < 6);

  test("pixels outside do not count", () => {
    const outside = mapped(b, (byte, i) => (left.data[Math.floor(i / 3)] === 0 ? 255 - byte : byte));
    expect(psnr(a, outside, left)).toBe(psnr(a, b, left));
    expect(psnr(a, outside)).not.toBe(psnr(a, b));
  });

  test("a full mask changes nothing; with an empty mask there is no value", () => {
    expect(
      squaredError(
        a,
        b,
        mask(a, () => true),
      ),
    ).toBe(squaredError(a, b));
    expect(
      psnr(
        a,
        b,
        mask(a, () => false),
      ),
    ).toBeUndefined();
    expect(
      squaredError(
        a,
        b,
        mask(a, () => false),
      ),
    ).toBeUndefined();
  });

  test("errors inside and outside, weighted by area, add up to the whole error", () => {
    const rest = mask(a, (x) => x >= 6);
    const whole = (6 / 20) * squaredError(a, b, left)! + (14 / 20) * squaredError(a, b, rest)!;
    expect(whole).toBeCloseTo(squaredError(a, b), 12);
  });
});

test("different sizes are refused, and for SSIM small pictures too", () => {
  const a = picture(12, 11, 1);
  const other = picture(11, 12, 1);
  for (const figure of [squaredError, psnr, ssim]) {
    expect(() => figure(a, other)).toThrow(ImageError);
    expect(() => figure(a, other)).toThrow(/12x11 and 11x12/);
  }
  expect(() =>
    psnr(
      a,
      a,
      mask(other, () => true),
    ),
  ).toThrow(ImageError);
  expect(() => ssim(picture(12, 10, 1), picture(12, 10, 2))).toThrow(/too small for SSIM: found 12x10/);
});
