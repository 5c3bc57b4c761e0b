import sharp, { type Color } from "sharp";
import { expect, test } from "vitest";
import { decodeImage, decodePhoto, encodePicture } from "../../src/image/node/index.ts";
import { colourSpaces, greyProfile, pngOf, profileOf, rgbProfile, sRgbLevel, sRgbOf, tiffOf } from "./files.ts";

const solid = (background: Color, channels: 3 | 4 = 3) =>
  sharp({ create: { width: 6, height: 4, channels, background } });
const navy = [16, 32, 64];

test.each([
  ["png", () => solid("#102040").png()],
  ["jpeg", () => solid("#102040").jpeg({ quality: 100 })],
  ["webp", () => solid("#102040").webp({ lossless: true })],
  ["tiff", () => solid("#102040").tiff({ compression: "none" })],
  ["tiff", () => solid("#102040").tiff({ compression: "lzw", tile: true })],
  ["tiff", () => solid("#102040").tiff({ compression: "jpeg", quality: 100 })],
  ["avif", () => solid("#102040").avif({ lossless: true })],
  ["avif", () => solid("#102040").toColourspace("rgb16").avif({ bitdepth: 10, quality: 100 })],
  ["gif", () => solid("#102040").gif()],
])("%s is read, and the result names its format", async (format, make) => {
  const photo = await decodePhoto(await make().toBuffer());
  expect(photo).toMatchObject({ format, framesLeftOut: 0, warnings: [], picture: { width: 6, height: 4 } });
  expect(photo.alpha).toBeUndefined();
  for (const [i, level] of photo.picture.data.entries()) expect(Math.abs(level - navy[i % 3])).toBeLessThanOrEqual(2);
});

test("a TIFF has the colours of its 8-bit sRGB twin, in 8 and 16 bits, RGB, grey and CMYK", async () => {
  const near = async (file: Buffer, expected: readonly number[], most = 1): Promise<void> => {
    const { data } = (await decodePhoto(file)).picture;
    for (const [c, level] of expected.entries()) expect(Math.abs(data[c] - level)).toBeLessThanOrEqual(most);
  };
  const colour = [0.1, 0.6, 0.3];
  const deep = colour.map((x) => Math.round(65_535 * x));
  const shallow = colour.map((x) => Math.round(255 * x));
  await near(tiffOf(shallow), shallow);
  await near(tiffOf(deep, { bits: 16 }), shallow);
  for (const space of Object.values(colourSpaces)) {
    const profile = rgbProfile(space);
    await near(tiffOf(shallow, { profile }), sRgbOf(colour, space), 3);
    await near(tiffOf(deep, { bits: 16, profile }), sRgbOf(colour, space));
  }
  const grey = sRgbLevel(0.3 ** 1.8);
  const options = { bits: 16, photometric: 1, profile: greyProfile(1.8) } as const;
  await near(tiffOf([Math.round(65_535 * 0.3)], options), [grey, grey, grey]);
  const ink = [10, 200, 30, 40];
  const { data } = await decodeImage(tiffOf(ink, { photometric: 5 }));
  const twin = tiffOf(
    ink.map((x) => 257 * x),
    { photometric: 5, bits: 16 },
  );
  await near(twin, [...data.subarray(0, 3)]);
});

test("opacity comes beside the picture on white, in all formats and depths", async () => {
  const half = solid({ r: 255, g: 0, b: 0, alpha: 0.5 }, 4);
  const files = await Promise.all([
    half.clone().png().toBuffer(),
    half.clone().webp({ lossless: true }).toBuffer(),
    half.clone().tiff({ compression: "none" }).toBuffer(),
    half.clone().avif({ lossless: true }).toBuffer(),
    half.clone().toColourspace("rgb16").png().toBuffer(),
  ]);
  for (const file of files) {
    const { picture, alpha } = await decodePhoto(file);
    expect(alpha).toEqual({ width: 6, height: 4, data: new Uint8Array(24).fill(128) });
    for (const [i, level] of picture.data.entries()) {
      expect(Math.abs(level - [255, 127, 127][i % 3])).toBeLessThanOrEqual(2);
    }
  }
});

test("opacity is turned upright with the picture", async () => {
  const rgba = Uint8Array.from({ length: 4 * 6 }, (_, i) => (i % 4 === 3 ? 40 * Math.floor(i / 4) : 100));
  const file = await sharp(rgba, { raw: { width: 3, height: 2, channels: 4 } })
    .withMetadata({ orientation: 6 })
    .png()
    .toBuffer();
  const { picture, alpha } = await decodePhoto(file);
  expect([picture.width, picture.height]).toEqual([2, 3]);
  expect([...alpha!.data]).toEqual([120, 0, 160, 40, 200, 80]);
});

test("an opaque photo has no opacity, also if its format always has", async () => {
  expect((await decodePhoto(await solid({ r: 9, g: 9, b: 9, alpha: 1 }, 4).png().toBuffer())).alpha).toBeUndefined();
  expect((await decodePhoto(await solid("#999").gif().toBuffer())).alpha).toBeUndefined();
});

/** Black, white and grey. */
const frames = () =>
  sharp(Buffer.concat([0, 255, 128].map((level) => Buffer.alloc(72, level))), {
    raw: { width: 6, height: 12, channels: 3, pageHeight: 4 },
  });

test.each([
  ["GIF", () => frames().gif(), "frames"],
  ["WebP", () => frames().webp({ lossless: true }), "frames"],
  ["TIFF", () => frames().tiff({ compression: "none" }), "pages"],
])("of a %s with three frames the first is read, with a warning", async (_, make, name) => {
  const file = await make().toBuffer();
  const { picture, framesLeftOut, warnings } = await decodePhoto(file);
  expect(picture).toEqual({ width: 6, height: 4, data: new Uint8Array(72) });
  expect(framesLeftOut).toBe(2);
  expect(warnings).toEqual([
    {
      code: "frames-left-out",
      message: `the photo: only the first of 3 ${name} is used.`,
      details: { where: undefined, frames: 3, framesLeftOut: 2 },
    },
  ]);
  await expect(decodeImage(file)).rejects.toThrow("3 frames");
});

test("a damaged colour profile gives a warning", async () => {
  for (const depth of [8, 16] as const) {
    const { warnings } = await decodePhoto(pngOf([0.8, 0.2, 0.4], depth, profileOf("RGB ", {})));
    expect(warnings).toMatchObject([{ code: "unusable-profile", message: expect.stringContaining("taken as sRGB") }]);
    expect((await decodePhoto(pngOf([0.8, 0.2, 0.4], depth, rgbProfile(colourSpaces.ProPhoto)))).warnings).toEqual([]);
  }
});

test("files that baret writes are read without a warning", async () => {
  const picture = { width: 6, height: 4, data: new Uint8Array(72).fill(90) };
  for (const format of ["png", "jpeg", "webp"] as const) {
    expect(await decodePhoto(await encodePicture(picture, { format }))).toMatchObject({ format, warnings: [] });
  }
});
