import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ImageError } from "../../src/core/index.ts";
import { type Filter, resize } from "../../src/image/index.ts";

/** Made by `python test/image/fixtures/pillow-resize.py > test/image/fixtures/pillow-resize.json`. */
const { cases } = JSON.parse(readFileSync(new URL("fixtures/pillow-resize.json", import.meta.url), "utf8")) as {
  cases: [number, number, number, number, Filter, string][];
};

test.each(cases)("%ix%i to %ix%i, %s: the same bytes as Pillow", (width, height, toWidth, toHeight, filter, sha) => {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => Math.floor((i * i * 31 + i * 17) / 8) % 256);
  const resized = resize({ width, height, data }, toWidth, toHeight, filter);
  expect([resized.width, resized.height]).toEqual([toWidth, toHeight]);
  expect(createHash("sha256").update(resized.data).digest("hex").slice(0, 16)).toBe(sha);
});

test("a size that is no positive integer is refused", () => {
  const dot = { width: 1, height: 1, data: new Uint8Array(3) };
  for (const size of [0, -1, 1.5, Number.NaN]) expect(() => resize(dot, size, 1)).toThrow(/ImageError|width/);
});

test.each<Filter>(["nearest", "bilinear", "bicubic", "lanczos"])(
  "%s: a side may have 65535 pixels, not more",
  (filter) => {
    const line = (length: number) => ({ width: length, height: 1, data: new Uint8Array(3 * length).fill(9) });
    const [longest, beyond] = [line(65_535), line(65_536)];
    expect(resize(resize(longest, 1, 65_535, filter), 65_535, 1, filter)).toEqual(longest);
    for (const [name, tooLong] of [
      ["width", () => resize(beyond, 9, 9, filter)],
      ["height", () => resize({ ...beyond, width: 1, height: beyond.width }, 9, 9, filter)],
      ["width", () => resize(longest, 65_536, 1, filter)],
      ["height", () => resize(longest, 1, 65_536, filter)],
    ] as const) {
      expect(tooLong).toThrow(ImageError);
      expect(tooLong).toThrow(`${name} of a picture: found 65536, expected a whole number in 1..65535`);
    }
  },
);
