import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { ImageError } from "../../src/core/index.ts";
import { insertPngText, readPngText } from "../../src/image/index.ts";
import { decodeImage, encodePng } from "../../src/image/node/index.ts";

const picture = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => i * 14) };
const text = { Software: "baret", settings: '{"target":"a dog — 犬 🐕"}', empty: "" };
let png: Uint8Array;
beforeAll(async () => {
  png = await encodePng(picture, text);
});

describe("text in a PNG", () => {
  test("is read as it was written, in any language", () => {
    expect(readPngText(png)).toEqual(text);
  });

  test("does not change the picture", async () => {
    expect(await decodeImage(png)).toEqual(picture);
  });

  test("is found by other readers", async () => {
    const { comments } = await sharp(png).metadata();
    expect(comments?.map(({ text: value }) => value)).toContain("baret");
  });

  test("keywords that PNG does not allow and text with NUL are refused by name", () => {
    for (const keyword of ["", "x".repeat(80), " x", "x ", "a  b", "犬", "a\nb"]) {
      expect(() => insertPngText(png, { [keyword]: "v" })).toThrow(ImageError);
    }
    expect(() => insertPngText(png, { good: "v", "bad\0": "v", Comment: "a\0b" })).toThrow('"bad\\u0000", "Comment"');
  });

  test("a damaged byte in any chunk is detected", () => {
    for (let i = 8; i < png.length; i++) {
      const damaged = png.slice();
      damaged[i] ^= 0x55;
      expect(() => readPngText(damaged)).toThrow(ImageError);
    }
  });

  test("a file cut at any byte is detected", () => {
    for (let length = 0; length < png.length; length++)
      expect(() => readPngText(png.subarray(0, length))).toThrow(ImageError);
  });

  test("beyond 4 MB is not written, and is skipped by the reader", () => {
    const most = 4 << 20;
    const bare = insertPngText(png, {});
    expect(() => insertPngText(bare, { baret: "x".repeat(most) })).toThrow(
      /too much text for a PNG: found 41943\d\d bytes, expected at most 4194304/,
    );
    const half = "x".repeat(most / 2);
    const twice = insertPngText(insertPngText(png, { second: half }), { first: half });
    expect(Object.keys(readPngText(twice))).toEqual(["first", ...Object.keys(text)]);
  });
});
