import { deflateSync } from "node:zlib";
import sharp, { type PngOptions } from "sharp";
import { describe, expect, test } from "vitest";
import { ImageError, Random } from "../../src/core/index.ts";
import { pngHeader } from "../../src/image/header/png.ts";
import { readProfile } from "../../src/image/icc.ts";
import { decodeImage, decodePhoto } from "../../src/image/node/index.ts";
import { turnUpright } from "../../src/image/orient.ts";
import { photoOf } from "../../src/image/photo.ts";
import { decodePng } from "../../src/image/png/decode.ts";
import { encodePngPixels } from "../../src/image/png/encode.ts";
import { parsePng } from "../../src/image/png/parse.ts";
import { colourSpaces, greyProfile, pngChunk, pngOf, rgbProfile } from "./files.ts";

function noise(length: number, seed = 1): Uint8Array {
  const random = new Random(seed);
  return Uint8Array.from({ length }, () => random.below(256));
}

/** The photo of a PNG, by the decoder that browsers use. */
async function decoded(png: Uint8Array) {
  const { profile, orientation, frames } = await pngHeader(png);
  const samples = turnUpright(await decodePng(parsePng(png), profile && readProfile(profile)), orientation);
  return photoOf({ ...samples, unusableProfile: false }, { where: undefined, format: "png", frames });
}

/** A PNG of noise. depth: bits of a sample; colourType and interlace as in PNG 11.2.1, and a tRNS and a PLTE chunk. */
function raw(width: number, height: number, depth: number, colourType: number, chunks: readonly Buffer[] = []): Buffer {
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[colourType]!;
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, depth, colourType, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const bytes = Math.ceil((width * channels * depth) / 8);
  const rows = Array.from({ length: height }, (_, y) => Buffer.concat([Buffer.of(y % 5), noise(bytes, y + 1)]));
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    pngChunk("IHDR", header),
    ...chunks,
    pngChunk("IDAT", deflateSync(Buffer.concat(rows))),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

const palette = (colours: number): Buffer => pngChunk("PLTE", noise(3 * colours));

describe("a PNG is decoded to the very levels that sharp gives", () => {
  test.each([
    ...[1, 2, 4, 8, 16].map((depth) => [depth, 0] as const),
    ...[8, 16].flatMap((depth) => [2, 4, 6].map((type) => [depth, type] as const)),
  ])("%i bits, colour type %i, every filter", async (depth, colourType) => {
    for (const width of [1, 7, 33]) {
      const png = raw(width, 11, depth, colourType);
      expect(await decoded(png)).toEqual(await decodePhoto(png));
    }
  });

  test.each([1, 2, 4, 8])("a palette of %i bits, with and without opacity", async (depth) => {
    const colours = palette(2 ** depth);
    const png = raw(13, 11, depth, 3, [colours]);
    expect(await decoded(png)).toEqual(await decodePhoto(png));
    const transparent = raw(13, 11, depth, 3, [colours, pngChunk("tRNS", Buffer.of(0, 130))]);
    expect(await decoded(transparent)).toEqual(await decodePhoto(transparent));
  });

  test.each([
    [4, 0, [0, 7]],
    [8, 0, [0, 66]],
    [8, 2, [0, 231, 0, 109, 0, 182]],
  ])("one transparent colour, %i bits, colour type %i", async (depth, colourType, key) => {
    const png = raw(40, 40, depth, colourType, [pngChunk("tRNS", Buffer.from(key))]);
    expect(await decoded(png)).toEqual(await decodePhoto(png));
  });

  const image = (channels: 3 | 4) => sharp(noise(37 * 29 * channels), { raw: { width: 37, height: 29, channels } });
  test.each<PngOptions>([
    {},
    { progressive: true },
    { palette: true },
    { palette: true, progressive: true },
    { adaptiveFiltering: true },
    { compressionLevel: 0 },
  ])("as sharp writes it with %o", async (options) => {
    for (const channels of [3, 4] as const) {
      const png = await image(channels).png(options).toBuffer();
      expect(await decoded(png)).toEqual(await decodePhoto(png));
      const deep = await image(channels).toColourspace("rgb16").png(options).toBuffer();
      expect(await decoded(deep)).toEqual(await decodePhoto(deep));
    }
  });

  test("sides smaller than the steps of interlacing", async () => {
    for (let width = 1; width <= 9; width++) {
      for (let height = 1; height <= 9; height++) {
        const made = sharp(noise(width * height * 3), { raw: { width, height, channels: 3 } });
        const png = await made.png({ progressive: true }).toBuffer();
        expect(await decoded(png)).toEqual(await decodePhoto(png));
      }
    }
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("EXIF orientation %i, with opacity", async (orientation) => {
    const png = await image(4).withMetadata({ orientation }).png().toBuffer();
    const { picture, alpha } = await decodePhoto(png);
    // sharp adds the profile of sRGB, and rounds otherwise when it applies it.
    const plain = await decoded(png);
    expect(plain.alpha).toEqual(alpha);
    expect([plain.picture.width, plain.picture.height]).toEqual([picture.width, picture.height]);
    const apart = plain.picture.data.map((level, i) => Math.abs(level - picture.data[i]));
    expect(Math.max(...apart)).toBeLessThanOrEqual(1);
  });

  test("gamma and chromaticities are ignored, as by sharp", async () => {
    const gamma = Buffer.alloc(4);
    gamma.writeUInt32BE(100_000);
    const png = raw(9, 9, 8, 2, [pngChunk("gAMA", gamma)]);
    expect(await decoded(png)).toEqual(await decodePhoto(png));
  });
});

test("profiles give colours at most 3 levels from sharp's, in 8 and 16 bits", async () => {
  const near = async (png: Buffer): Promise<void> => {
    const [own, other] = [(await decoded(png)).picture.data, (await decodeImage(png)).data];
    for (const [i, level] of own.entries()) expect(Math.abs(level - other[i])).toBeLessThanOrEqual(3);
  };
  for (const depth of [8, 16] as const) {
    for (const profile of Object.values(colourSpaces).map(rgbProfile)) {
      for (const colour of [
        [0.1, 0.6, 0.3],
        [1, 0, 0],
        [0.02, 0.01, 0.03],
        [0.8, 0.79, 0.81],
      ]) {
        await near(pngOf(colour, depth, profile));
        await near(pngOf([...colour, 0.4], depth, profile));
      }
    }
    for (const gamma of [1, 1.8, 2.2]) await near(pngOf([0.3], depth, greyProfile(gamma)));
  }
});

describe("an encoded PNG", () => {
  test.each([3, 4] as const)("of %i channels is decoded to the same levels, here and by sharp", async (channels) => {
    for (const [width, height] of [
      [1, 1],
      [5, 3],
      [64, 48],
      [300, 700],
    ]) {
      const data = noise(width * height * channels);
      const png = await encodePngPixels({ width, height, channels, data });
      const again = await decodePng(parsePng(png));
      expect(again).toMatchObject({ width, height, channels });
      expect(Buffer.compare(again.data, data)).toBe(0);
      expect(Buffer.compare(await sharp(png).raw().toBuffer(), data)).toBe(0);
    }
  });

  test("of a photo is not larger than sharp's", async () => {
    const { width, height, data } = await decodeImage("examples/dog.png");
    const own = await encodePngPixels({ width, height, channels: 3, data });
    const other = await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    expect(own.length).toBeLessThanOrEqual(other.length);
  });
});

test("a thousand damaged PNGs give a picture or an ImageError", async () => {
  const whole = await sharp(noise(16 * 16 * 3), { raw: { width: 16, height: 16, channels: 3 } })
    .png()
    .toBuffer();
  const random = new Random(3);
  for (let i = 0; i < 1000; i++) {
    const png = Buffer.from(whole);
    png[random.below(png.length)] ^= 1 + random.below(255);
    const cut = random.below(8) ? png : png.subarray(0, random.below(png.length));
    const outcome: unknown = await decoded(cut).catch((error: unknown) => error);
    if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ImageError);
  }
});

test("damaged pixels behind correct checksums are refused, and data behind the pixels is not inflated", async () => {
  const header = Buffer.from([0, 0, 0, 4, 0, 0, 0, 4, 8, 2, 0, 0, 0]);
  const png = (data: Uint8Array): Buffer =>
    Buffer.concat([
      Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
      pngChunk("IHDR", header),
      pngChunk("IDAT", data),
      pngChunk("IEND", Buffer.alloc(0)),
    ]);
  const rows = Buffer.alloc(4 * 13);
  await expect(decoded(png(deflateSync(rows.subarray(1))))).rejects.toThrow("fewer pixels than the header says");
  await expect(decoded(png(deflateSync(noise(52)).subarray(0, 30)))).rejects.toThrow(ImageError);
  await expect(decoded(png(Buffer.alloc(50)))).rejects.toThrow("data that does not inflate");
  await expect(decoded(png(deflateSync(Buffer.concat([Buffer.of(5), rows]))))).rejects.toThrow("filter 5 in row 0");
  const before = process.resourceUsage().maxRSS;
  expect((await decoded(png(deflateSync(Buffer.alloc(1 << 28))))).picture.data).toEqual(new Uint8Array(48));
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(200_000);
});
