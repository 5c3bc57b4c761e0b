import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/node/index.ts";
import { colourSpaces, greyProfile, pngOf, profileOf, rgbProfile, sRgbLevel, sRgbOf } from "./files.ts";

const pixelOf = async (file: Buffer): Promise<number[]> => [...(await decodeImage(file)).data.subarray(0, 3)];

/** Levels that are at most `most` apart. */
function expectNear(found: readonly number[], expected: readonly number[], most: number): void {
  expect(found).toHaveLength(expected.length);
  for (const [c, level] of found.entries()) expect(Math.abs(level - expected[c])).toBeLessThanOrEqual(most);
}

const overWhite = (level: number, opacity: number): number => 255 - opacity * (255 - level);
const spaces = Object.entries(colourSpaces);
const depths = [8, 16] as const;

describe("colours are those of the 8-bit sRGB twin", () => {
  const colours = [
    [0.1, 0.6, 0.3],
    [1, 0, 0],
    [0.02, 0.01, 0.03],
    [0.8, 0.79, 0.81],
  ];
  // Near black, 8 bits have too few levels, and libvips rounds 16 bits on the way.
  const most = 3;
  test.each(spaces.flatMap(([name, space]) => depths.map((depth) => [name, depth, space] as const)))(
    "RGB with the profile %s in %i bits",
    async (_, depth, space) => {
      for (const colour of colours) {
        const expected = sRgbOf(colour, space);
        expectNear(await pixelOf(pngOf(colour, depth, rgbProfile(space))), expected, most);
        const laid = expected.map((level) => overWhite(level, 0.4));
        expectNear(await pixelOf(pngOf([...colour, 0.4], depth, rgbProfile(space))), laid, most);
      }
    },
  );

  test.each([1, 1.8, 2.2].flatMap((gamma) => depths.map((depth) => [gamma, depth] as const)))(
    "grey with the exponent %f in %i bits",
    async (gamma, depth) => {
      for (const grey of [0.05, 0.3, 0.9, 1]) {
        const level = sRgbLevel(grey ** gamma);
        const expected = [level, level, level];
        expectNear(await pixelOf(pngOf([grey], depth, greyProfile(gamma))), expected, most);
        const laid = expected.map((x) => overWhite(x, 0.4));
        expectNear(await pixelOf(pngOf([grey, 0.4], depth, greyProfile(gamma))), laid, most);
      }
    },
  );

  test.each([1, 2, 3, 4])(
    "%i channels without a profile: every level is the same in 16 bits as in 8",
    async (channels) => {
      for (let level = 0; level < 256; level += 5) {
        const samples = [level / 255, 1 - level / 255, 0.2, 0.6].slice(0, channels);
        expect(await pixelOf(pngOf(samples, 16))).toEqual(await pixelOf(pngOf(samples, 8)));
      }
    },
  );

  /** A picture of many colours, which other spaces hold without clipping. */
  const many = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => 20 + ((i * 7919) % 211));
  const image = () => sharp(many, { raw: { width: 64, height: 64, channels: 3 } });
  test.each(["srgb", "p3"])("a picture of many colours, in 16 bits with sharp's own profile %s", async (profile) => {
    const deep = await image().toColourspace("rgb16").withIccProfile(profile).png().toBuffer();
    expect(await sharp(deep).metadata()).toMatchObject({ depth: "ushort", icc: expect.anything() });
    const { data } = await decodeImage(deep);
    expect(Math.max(...data.map((level, i) => Math.abs(level - many[i])))).toBeLessThanOrEqual(
      profile === "p3" ? 3 : 1,
    );
  });

  test.each([
    ["PNG", () => image().withIccProfile("p3").png(), 2],
    ["palette PNG", () => image().threshold(128).withIccProfile("p3").png({ palette: true }), 2],
    ["WebP", () => image().withIccProfile("p3").webp({ lossless: true }), 2],
    ["JPEG", () => image().blur(20).withIccProfile("p3").jpeg({ quality: 100, chromaSubsampling: "4:4:4" }), 3],
  ])("Display P3 in a %s", async (_, make, most) => {
    const file = await make().toBuffer();
    expect((await sharp(file).metadata()).icc).toBeDefined();
    const twin = await decodeImage(await sharp(file).toColourspace("srgb").png().toBuffer());
    const { data } = await decodeImage(file);
    expect(Math.max(...data.map((level, i) => Math.abs(level - twin.data[i])))).toBeLessThanOrEqual(most);
  });

  test("a palette with a profile", async () => {
    const space = colourSpaces["Adobe RGB"];
    const plain = await sharp(pngOf([0.1, 0.6, 0.3], 8))
      .png({ palette: true })
      .toBuffer();
    expect((await sharp(plain).metadata()).isPalette).toBe(true);
    const chunk = pngOf([0, 0, 0], 8, rgbProfile(space)).subarray(33);
    const length = 12 + chunk.readUInt32BE(0);
    const file = Buffer.concat([plain.subarray(0, 33), chunk.subarray(0, length), plain.subarray(33)]);
    expectNear(await pixelOf(file), sRgbOf([0.1, 0.6, 0.3], space), 1);
  });

  test.each([
    ["with a profile", "cmyk"],
    ["without one", undefined],
  ])("a CMYK JPEG %s", async (_, profile) => {
    const cmyk = sharp(pngOf([0.5, 0.6, 0.4], 8)).toColourspace("cmyk");
    const file = await (profile ? cmyk.withIccProfile(profile) : cmyk).jpeg({ quality: 100 }).toBuffer();
    expect(await sharp(file).metadata()).toMatchObject({ space: "cmyk", channels: 4 });
    expectNear(await pixelOf(file), [128, 153, 102], 14);
  });
});

test.each([
  ["not a profile", Buffer.from("no profile ".repeat(30))],
  ["without tables", profileOf("RGB ", {})],
  ["zeros in its tables", Buffer.from(rgbProfile(colourSpaces["Adobe RGB"])).fill(0, 300)],
])("an unusable profile (%s) is ignored in 16 bits as in 8", async (_, profile) => {
  const colour = [0.8, 0.2, 0.4];
  for (const depth of depths) expect(await pixelOf(pngOf(colour, depth, profile))).toEqual([204, 51, 102]);
});
