import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import sharp, { type Color } from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ImageError, type Picture, UsageError } from "../../src/core/index.ts";
import { decodeImage, encodePng, readPhotoHeader } from "../../src/image/node/index.ts";
import { pngChunk, tiffOf } from "./files.ts";

const solid = (channels: 3 | 4, background: Color) => sharp({ create: { width: 6, height: 4, channels, background } });
const sixteenBit = (channels: 1 | 3 | 4, pixel: number[], space: string) =>
  sharp(
    Uint16Array.from({ length: 24 * channels }, (_, i) => pixel[i % channels]),
    {
      raw: { width: 6, height: 4, channels },
    },
  )
    .toColourspace(space)
    .png();

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "baret-image-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Its one colour, where all pixels agree within a JPEG's error. */
function colourOf({ width, height, data }: Picture): number[] {
  expect(data.length).toBe(width * height * 3);
  data.forEach((value, i) => {
    expect(Math.abs(value - data[i % 3])).toBeLessThanOrEqual(1);
  });
  return [...data.subarray(0, 3)];
}

describe("every kind of photo is read as 8-bit RGB", () => {
  const navy = "#102040";
  test.each([
    ["PNG", solid(3, navy).png(), [16, 32, 64]],
    ["palette PNG", solid(3, navy).png({ palette: true }), [16, 32, 64]],
    ["JPEG", solid(3, navy).jpeg({ quality: 100 }), [16, 32, 64]],
    ["lossless WebP", solid(3, navy).webp({ lossless: true }), [16, 32, 64]],
    ["grey PNG", solid(3, "#808080").toColourspace("b-w").png(), [128, 128, 128]],
    ["grey JPEG", solid(3, "#808080").toColourspace("b-w").jpeg(), [128, 128, 128]],
    ["16-bit PNG", sixteenBit(3, [0x8040, 0x4000, 0xffff], "rgb16"), [128, 64, 255]],
    ["16-bit grey PNG", sixteenBit(1, [0x8040], "grey16"), [128, 128, 128]],
    ["alpha, laid over white", solid(4, { r: 255, g: 0, b: 0, alpha: 0.5 }).png(), [255, 127, 127]],
    ["nothing but alpha", solid(4, { r: 9, g: 9, b: 9, alpha: 0 }).webp({ lossless: true }), [255, 255, 255]],
    ["16-bit with alpha", sixteenBit(4, [0xffff, 0, 0, 0x8000], "rgb16"), [255, 127, 127]],
  ])("%s", async (_, source, colour) => {
    const picture = await decodeImage(await source.toBuffer());
    expect([picture.width, picture.height]).toEqual([6, 4]);
    colourOf(picture).forEach((value, c) => {
      expect(Math.abs(value - colour[c])).toBeLessThanOrEqual(1);
    });
  });

  test("a CMYK JPEG is converted", async () => {
    const [red, green, blue] = colourOf(
      await decodeImage(await solid(3, "#ff0000").toColourspace("cmyk").jpeg().toBuffer()),
    );
    expect(red).toBeGreaterThan(200);
    expect(Math.max(green, blue)).toBeLessThan(80);
  });

  test("a path and its bytes give the same picture", async () => {
    const bytes = await solid(3, navy).png().toBuffer();
    writeFileSync(join(folder, "photo.any"), bytes);
    expect(await decodeImage(join(folder, "photo.any"))).toEqual(await decodeImage(bytes));
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("a photo with EXIF orientation %i is turned upright", async (orientation) => {
    const upright = { width: 6, height: 4, data: Uint8Array.from({ length: 72 }, (_, i) => i * 3) };
    const [right, bottom] = [5, 3];
    // Which upright pixel the camera stored at column x, row y (EXIF 2.32, tag 274).
    const uprightAt = [
      (x: number, y: number) => [x, y],
      (x: number, y: number) => [right - x, y],
      (x: number, y: number) => [right - x, bottom - y],
      (x: number, y: number) => [x, bottom - y],
      (x: number, y: number) => [y, x],
      (x: number, y: number) => [right - y, x],
      (x: number, y: number) => [right - y, bottom - x],
      (x: number, y: number) => [y, bottom - x],
    ][orientation - 1];
    const [width, height] = orientation < 5 ? [6, 4] : [4, 6];
    const stored = Uint8Array.from({ length: 72 }, (_, i) => {
      const [x, y] = uprightAt(Math.floor(i / 3) % width, Math.floor(i / 3 / width));
      return upright.data[3 * (y * 6 + x) + (i % 3)];
    });
    const tagged = sharp(stored, { raw: { width, height, channels: 3 } })
      .withMetadata({ orientation })
      .png();
    expect(await decodeImage(await tagged.toBuffer())).toEqual(upright);
    expect(await readPhotoHeader(await tagged.toBuffer())).toEqual({ format: "png", width: 6, height: 4 });
  });
});

describe("a file that is no picture is refused with an ImageError that names the reason", () => {
  const header = (width: number, height: number): Buffer => {
    const data = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
    data.writeUInt32BE(width, 0);
    data.writeUInt32BE(height, 4);
    return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), pngChunk("IHDR", data)]);
  };
  const pixels = pngChunk("IDAT", deflateSync(Buffer.alloc(1024)));
  const end = pngChunk("IEND", Buffer.alloc(0));
  const png = (...parts: Buffer[]): Buffer => Buffer.concat([...parts, pixels, end]);

  /** One strip of 6x8 pixels, told to be two frames of 6x4. */
  const animation = () =>
    sharp(Buffer.concat([Buffer.alloc(72), Buffer.alloc(72, 200)]), {
      raw: { width: 6, height: 8, channels: 3, pageHeight: 4 },
    });

  /** Its pixels, which are missing, would fill 30,000 by 30,000. */
  const hugeGif = Buffer.from("47494638396130753075800000000000ffffff2c00000000307530750002024401003b", "hex");
  const hugeTiff = tiffOf([1, 2, 3]);
  // Values of its first two tags: width and height.
  for (const at of [18, 30]) hugeTiff.writeUInt16LE(40_000, at);
  const noise = (side: number) => Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * i * 31) % 251);
  const noisy = (side = 16) => sharp(noise(side), { raw: { width: side, height: side, channels: 3 } });

  test.each<[string, () => Buffer | Promise<Buffer>, string]>([
    ["nothing", () => Buffer.alloc(0), "0 bytes"],
    ["text", () => Buffer.from("a dog lying down"), "an unknown format"],
    ["a BMP", () => Buffer.from("BM and so on"), "a BMP"],
    ["a HEIC", () => Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1"), "a HEIC"],
    ["a video", () => Buffer.from("\0\0\0\x18ftypisom\0\0\0\0isommp42", "latin1"), "an unknown format"],
    ["an animated GIF", () => animation().gif().toBuffer(), "2 frames"],
    ["a TIFF of two pages", () => animation().tiff({ compression: "none" }).toBuffer(), "2 frames"],
    ["a TIFF of floating point", () => tiffOf([0.1, 0.2, 0.3], { bits: 32, sampleFormat: 3 }), "found float"],
    ["a TIFF of 32 bits", () => tiffOf([1e9, 2e9, 3e9], { bits: 32 }), "found uint"],
    ["a TIFF of signed numbers", () => tiffOf([1, 2, 3], { bits: 16, sampleFormat: 2 }), "found short"],
    ["a TIFF of five channels", () => tiffOf([1, 2, 3, 4, 5], { extra: [0, 0] }), "5 channels"],
    ["a TIFF of 40,000 by 40,000 pixels", () => hugeTiff, "40000x40000 = 1600000000"],
    ["a TIFF cut in half", async () => (await noisy().tiff().toBuffer()).subarray(0, 300), "corrupt"],
    ["a GIF cut in half", async () => (await noisy().gif().toBuffer()).subarray(0, 300), "corrupt"],
    ["an AVIF cut in half", async () => (await noisy().avif().toBuffer()).subarray(0, 400), "corrupt"],
    ["a GIF of 30,000 by 30,000 pixels", () => hugeGif, "30000x30000 = 900000000"],
    ["an SVG", () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), "an SVG"],
    ["a PDF", () => Buffer.from("%PDF-1.7"), "a PDF"],
    ["an animated WebP", () => animation().webp().toBuffer(), "2 frames"],
    ["an animated PNG", () => png(header(4, 4), pngChunk("acTL", Buffer.from([0, 0, 0, 3, 0, 0, 0, 0]))), "3 frames"],
    ["a PNG of no width", () => png(header(0, 4)), "corrupt"],
    ["a decompression bomb", () => png(header(40_000, 40_000)), "40000x40000 = 1600000000"],
    [
      "a PNG with its end cut off",
      async () => (await solid(3, "#123").png().toBuffer()).subarray(0, -20),
      "damaged PNG",
    ],
    ["a JPEG cut in its header", async () => (await solid(3, "#123").jpeg().toBuffer()).subarray(0, 100), "corrupt"],
    ["a WebP cut in half", async () => (await solid(3, "#123").webp().toBuffer()).subarray(0, 30), "corrupt"],
    [
      "a PNG whose pixels do not inflate",
      () => Buffer.concat([header(9, 9), pngChunk("IDAT", Buffer.alloc(50)), end]),
      "corrupt",
    ],
  ])("%s", async (name, make, found) => {
    const bytes = await make();
    const error: unknown = await decodeImage(bytes).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ImageError);
    expect((error as Error).message).toMatch(found);
    const path = join(folder, name.replaceAll(" ", "-"));
    writeFileSync(path, bytes);
    await expect(decodeImage(path)).rejects.toThrow(`${path}: `);
  });

  test("data that inflates to 256 MB beside or behind a small picture is not inflated", async () => {
    const bomb = deflateSync(Buffer.alloc(1 << 28));
    const rows = pngChunk("IDAT", deflateSync(Buffer.alloc(4 * 13)));
    const inside = (type: string, head: string) => pngChunk(type, Buffer.concat([Buffer.from(head, "latin1"), bomb]));
    const before = process.resourceUsage().maxRSS;
    for (const parts of [
      [inside("zTXt", "Comment\0\0"), rows],
      [inside("iTXt", "Comment\0\x01\0\0\0"), rows],
      [inside("iCCP", "profile\0\0"), rows],
      [pngChunk("IDAT", bomb)],
    ]) {
      const picture = await decodeImage(Buffer.concat([header(4, 4), ...parts, end]));
      expect(picture).toEqual({ width: 4, height: 4, data: new Uint8Array(48) });
    }
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(200_000);
  });

  test("a JPEG whose last rows are missing", async () => {
    const bytes = await noisy(64).jpeg().toBuffer();
    await expect(decodeImage(bytes.subarray(0, bytes.length * 0.6))).rejects.toThrow("corrupt or truncated");
  });

  test("a missing file, and a folder", async () => {
    await expect(decodeImage(join(folder, "absent.png"))).rejects.toThrow(ImageError);
    await expect(decodeImage(folder)).rejects.toThrow(ImageError);
  });

  test("a picture of more pixels than the caller allows", async () => {
    const bytes = await solid(3, "#fff").png().toBuffer();
    await expect(decodeImage(bytes, { maxPixels: 23 })).rejects.toThrow("6x4 = 24, expected at most 23");
    await expect(decodeImage(bytes, { maxPixels: 24 })).resolves.toMatchObject({ width: 6 });
  });

  /** A black PNG. */
  const plain = (width: number, height: number): Buffer => {
    const head = header(width, height);
    const rows = deflateSync(Buffer.alloc(height * (1 + 3 * width)));
    return Buffer.concat([head, pngChunk("IDAT", rows), end]);
  };

  test.each([
    [65_536, 1],
    [1, 65_536],
    [100_000_000, 1],
    [1, 100_000_000],
  ])("a picture with a side above 65,535 pixels, before it is decoded: %ix%i", async (w, h) => {
    const before = process.resourceUsage().maxRSS;
    // Its pixels do not inflate: whoever decoded it would say so.
    const bytes = Buffer.concat([header(w, h), pngChunk("IDAT", Buffer.alloc(50)), end]);
    const error = await decodeImage(bytes).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ImageError);
    expect((error as Error).message).toBe(
      `a side is too long: found ${w}x${h}, expected at most 65535 pixels along each side.`,
    );
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100_000);
  });

  test.each([
    [65_535, 2],
    [2, 65_535],
  ])("a side of 65,535 pixels is read: %ix%i", async (width, height) => {
    expect(await decodeImage(plain(width, height))).toMatchObject({ width, height });
  });

  test("a thousand damaged files give a picture or an ImageError", async () => {
    const image = noisy();
    const formats = [
      image.png(),
      image.jpeg(),
      image.webp(),
      image.gif(),
      image.tiff({ compression: "lzw" }),
      image.avif(),
    ];
    const sources = await Promise.all(formats.map((format) => format.clone().toBuffer()));
    let state = 1;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let i = 0; i < 1000; i++) {
      const bytes = Buffer.from(sources[i % sources.length]);
      for (let k = 0; k <= random(4); k++) bytes[random(bytes.length)] = random(256);
      const damaged = bytes.subarray(0, random(8) ? bytes.length : random(bytes.length));
      const outcome: unknown = await decodeImage(damaged).catch((e) => e);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ImageError);
      else {
        const { width, height } = outcome as Picture;
        expect(await readPhotoHeader(damaged)).toMatchObject({ width, height });
      }
    }
  });
});

test("encodePng and decodeImage are inverses", async () => {
  const picture = { width: 5, height: 3, data: Uint8Array.from({ length: 45 }, (_, i) => i * 5) };
  expect(await decodeImage(await encodePng(picture))).toEqual(picture);
});

test("pixels that do not fill the picture are refused", async () => {
  const encoded = encodePng({ width: 5, height: 3, data: new Uint8Array(44) });
  await expect(encoded).rejects.toThrow(UsageError);
  await expect(encoded).rejects.toThrow('picture: found {"width":5,"height":3,"data":a Uint8Array}');
  await expect(encoded).rejects.toThrow("three bytes per pixel");
});
