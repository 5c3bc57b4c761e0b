import { describe, expect, test } from "vitest";
import { ImageError, type Picture, UsageError } from "../../src/core/index.ts";
import { crop, type FitOptions, fitImage, pasteBack, placementOf } from "../../src/image/index.ts";

const made = (width: number, height: number, level: (x: number, y: number, c: number) => number): Picture => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return level(pixel % width, Math.floor(pixel / width), i % 3);
  }),
});
const noise = (width: number, height: number) =>
  made(width, height, (x, y, c) => (x * 31 + y * 57 + c * 91 + x * y) % 256);
const flat = (width: number, height: number, level: number) => made(width, height, () => level);
const levelAt = ({ width, data }: Picture, x: number, y: number): number => data[3 * (y * width + x)];

const shapes = [
  [90, 60],
  [60, 90],
  [64, 64],
  [200, 40],
  [33, 21],
] as const;

describe("a cropped square, pasted back", () => {
  const options: FitOptions = { width: 48, height: 48, mode: "crop" };

  test("changes no pixel outside the square, and has the photo's size", () => {
    for (const [width, height] of shapes) {
      const photo = noise(width, height);
      const { kept } = placementOf(photo, options);
      const pasted = pasteBack(photo, flat(48, 48, 255), options);
      expect([pasted.width, pasted.height]).toEqual([width, height]);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const inside = x >= kept.left && x < kept.left + kept.width && y >= kept.top && y < kept.top + kept.height;
          if (!inside) expect(levelAt(pasted, x, y)).toBe(levelAt(photo, x, y));
        }
      }
    }
  });

  test("rises monotonically from the photo to the edited picture, and is the edited one behind the border", () => {
    const photo = flat(120, 80, 10);
    const pasted = pasteBack(photo, flat(80, 80, 250), { width: 80, height: 80, feather: 20 });
    const row = Array.from({ length: 120 }, (_, x) => levelAt(pasted, x, 40));
    expect(row.slice(0, 20)).toEqual(new Array(20).fill(10));
    expect(row.slice(40, 80)).toEqual(new Array(40).fill(250));
    const border = row.slice(19, 41);
    expect(border).toEqual(border.toSorted((a, b) => a - b));
    expect(new Set(border).size).toBeGreaterThan(15);
    expect(row).toEqual(row.toReversed());
    // The square reaches the photo's upper and lower edge, where no border is seen.
    for (const y of [0, 79]) expect(levelAt(pasted, 60, y)).toBe(250);
  });

  test("is exactly the photo if nothing was edited, up to resampling", () => {
    for (const [width, height] of shapes) {
      const photo = noise(width, height);
      const side = Math.min(width, height);
      const own = { width: side, height: side };
      expect(pasteBack(photo, fitImage(photo, own), own)).toEqual(photo);
    }
  });

  test("without a border is exactly the edited picture inside", () => {
    const photo = noise(90, 60);
    const edited = noise(60, 60);
    const pasted = pasteBack(photo, edited, { width: 60, height: 60, feather: 0 });
    expect(crop(pasted, 15, 0, 60, 60)).toEqual(edited);
  });

  test("has levels between those of the photo and of the edited picture, however wide the border", () => {
    for (const feather of [0, 0.5, 3, 30, 1000]) {
      const { data } = pasteBack(flat(90, 60, 40), flat(60, 60, 200), { width: 60, height: 60, feather });
      expect(Math.min(...data)).toBeGreaterThanOrEqual(40);
      expect(Math.max(...data)).toBeLessThanOrEqual(200);
    }
  });
});

test.each(["pad", "stretch"] as const)("the whole photo comes back at its own size and shape: %s", (mode) => {
  for (const [width, height] of shapes) {
    const photo = noise(width, height);
    const options: FitOptions = { width: 48, height: 64, mode };
    expect(pasteBack(photo, flat(48, 64, 99), options)).toEqual(flat(width, height, 99));
  }
  const ramp = made(96, 48, (x, y, c) => [2 * x, 4 * y, 100][c]);
  const options: FitOptions = { width: 96, height: 96, mode };
  const back = pasteBack(ramp, fitImage(ramp, options), options);
  expect(Math.max(...back.data.map((level, i) => Math.abs(level - ramp.data[i])))).toBeLessThanOrEqual(4);
});

test("an alpha channel is fitted as its picture is", () => {
  const photo = noise(90, 61);
  const alpha = { width: 90, height: 61, data: photo.data.filter((_, i) => i % 3 === 1) };
  for (const mode of ["crop", "pad", "stretch"] as const) {
    for (const filter of ["nearest", "bilinear", "bicubic", "lanczos"] as const) {
      const options = { width: 40, height: 48, mode, filter };
      const { data } = fitImage(photo, options);
      expect(fitImage(alpha, options)).toEqual({ width: 40, height: 48, data: data.filter((_, i) => i % 3 === 1) });
    }
  }
});

test("an edited picture of another size and an invalid border are refused", () => {
  const photo = noise(90, 60);
  expect(() => pasteBack(photo, noise(32, 32), { width: 48, height: 48 })).toThrow(ImageError);
  expect(() => pasteBack(photo, noise(32, 32), { width: 48, height: 48 })).toThrow("found 32x32, expected 48x48");
  const loose = pasteBack as (...given: unknown[]) => unknown;
  const size = { width: 48, height: 48 };
  for (const [given, field] of [
    [[photo, noise(48, 48), { ...size, feather: -1 }], "options.feather: found -1, expected 0 or more"],
    [[photo, noise(48, 48), { ...size, feather: Number.NaN }], "options.feather: found NaN"],
    [[photo, noise(48, 48), { ...size, mode: "paste" }], 'options.mode: found "paste", expected crop, pad, stretch'],
    [[photo, noise(48, 48), { ...size, border: 3 }], '"border" in options: not understood'],
    [[photo, noise(48, 48)], "options: found nothing"],
    [[{ ...photo, width: 89 }, "x.png", size], 'edited: found "x.png"'],
  ] as const) {
    expect(() => loose(...given)).toThrow(UsageError);
    expect(() => loose(...given)).toThrow(field);
  }
});
