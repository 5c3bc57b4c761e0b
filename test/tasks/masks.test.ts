import { writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type Fit, fits, ImageError, type Mask, type Picture, UsageError } from "../../src/core/index.ts";
import { nodePlatform } from "../../src/diffusion/node/index.ts";
import { masactrl } from "../../src/editing/index.ts";
import { brightPixels, fitImage, resizeMask } from "../../src/image/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { withMasks } from "../../src/tasks/index.ts";
import { temporaryFolder } from "../support/files.ts";

// Masks that edit options name: their files, their sizes and the photo that they belong to.

const at = temporaryFolder();
const size = { width: 64, height: 64 };
/** Grey levels that rise from left to right and from top to bottom. */
const shades = (width: number, height: number, level: (x: number, y: number) => number): Picture => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, k) => {
    const place = Math.floor(k / 3);
    return level(place % width, Math.floor(place / width));
  }),
});
const leftHalf = (width: number, height: number): Picture => shades(width, height, (x) => (x < width / 2 ? 255 : 0));

beforeAll(async () => {
  writeFileSync(at("square.png"), await encodePng(leftHalf(16, 16)));
  writeFileSync(at("wide.png"), await encodePng(leftHalf(96, 48)));
  writeFileSync(at("black.png"), await encodePng(shades(64, 64, () => 127)));
  writeFileSync(at("text.png"), "no picture");
});

const read = async (value: unknown, photo?: { full: Picture; fit: Fit }): Promise<Mask> => {
  const { options } = await withMasks(masactrl, { step: 1, sourceMask: value }, { size, photo }, nodePlatform);
  expect(options.step).toBe(1);
  return options.sourceMask as Mask;
};

test("a mask of the picture's shape keeps its size, marks its bright pixels, and has path and hash of its file", async () => {
  const mask = await read(at("square.png"));
  expect(mask).toEqual({
    ...brightPixels(leftHalf(16, 16)),
    path: at("square.png"),
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(mask.data.reduce((sum, byte) => sum + byte, 0)).toBe(255 * 8 * 16);
});

test.each(fits)("a mask of the photo's own size is fitted as the photo: %s", async (fit) => {
  const full = leftHalf(96, 48);
  const mode = fit === "paste" ? "crop" : fit === "whole" ? "pad" : fit;
  const expected = brightPixels(fitImage(full, { ...size, mode }));
  expect(await read(at("wide.png"), { full, fit })).toMatchObject(expected);
});

test("a mask without a file is used as it is, and no option means no mask", async () => {
  const mask = brightPixels(leftHalf(64, 64));
  expect(await read(mask)).toBe(mask);
  const { options, warnings } = await withMasks(masactrl, { step: 2 }, { size }, nodePlatform);
  expect({ options, warnings }).toEqual({ options: { step: 2 }, warnings: [] });
});

test("a file that has changed since a record named it gives a warning", async () => {
  const { path, sha256 } = (await read(at("square.png"))) as Mask & { path: string; sha256: string };
  const warningsOf = async (recorded: string) =>
    (await withMasks(masactrl, { sourceMask: { path, sha256: recorded } }, { size }, nodePlatform)).warnings;
  expect(await warningsOf(sha256)).toEqual([]);
  expect(await warningsOf("0".repeat(64))).toMatchObject([{ code: "changed-mask", details: { path } }]);
});

describe("refused", () => {
  test.each<[string, string, typeof UsageError | typeof ImageError, RegExp]>([
    [
      "another shape",
      "wide.png",
      UsageError,
      /sourceMask: .*wide\.png: this mask has another shape.*found 96x48, expected 64x64/,
    ],
    [
      "no bright pixel",
      "black.png",
      UsageError,
      /sourceMask: .*black\.png: this mask marks nothing: expected white where/,
    ],
    ["no picture", "text.png", ImageError, /text\.png: not a picture/],
    ["no file", "none.png", ImageError, /none\.png: cannot be read/],
  ])("a mask with %s", async (_, name, type, message) => {
    await expect(read(at(name))).rejects.toThrow(type);
    await expect(read(at(name))).rejects.toThrow(message);
  });

  test("the message of another shape names the photo's own size too", async () => {
    const photo = { full: leftHalf(100, 50), fit: "crop" } as const;
    await expect(read(at("wide.png"), photo)).rejects.toThrow(/expected 64x64, .* or the photo's own 100x50/);
  });
});

test("resizing takes the pixel at the same share of the sides, rounded down", () => {
  const mask: Mask = { width: 3, height: 2, data: Uint8Array.of(255, 0, 255, 0, 255, 0) };
  // Columns 0, 0, 1, 2 of three and rows 0, 0, 1 of two: ⌊k·3/4⌋ and ⌊k·2/3⌋.
  expect([...resizeMask(mask, 4, 3).data]).toEqual([255, 255, 0, 255, 255, 255, 0, 255, 0, 0, 255, 0]);
  expect(resizeMask(mask, 3, 2)).toBe(mask);
});
