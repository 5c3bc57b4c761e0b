import { deflateSync } from "node:zlib";
import sharp, { type Sharp } from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { Random } from "../../src/core/index.ts";
import { decodePhoto, readPhotoHeader } from "../../src/image/node/index.ts";
import { titled } from "../support/needs.ts";
import { noBrowser, openModule, type PageError, type Tab } from "../support/webModule.ts";
import { colourSpaces, greyProfile, pngChunk, pngOf, profileOf, rgbProfile, tiffOf } from "./files.ts";
import type * as Page from "./page.web.ts";

// What decodePhoto gives in Chromium beside what it gives in Node, for the same files. For a PNG the limit is none, for
// colours that pass a profile the 3 levels that Node's own tests allow, and for other formats what was measured.

let tab: Tab<typeof Page>;
beforeAll(async () => {
  if (!noBrowser) tab = await (await openModule<typeof Page>("test/image/page.web.ts")).openTab();
});

const [width, height] = [48, 32];
/** Soft shapes and some noise, as in a photo. */
function photo(channels: 3 | 4 = 3): Sharp {
  const random = new Random(5);
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const [x, y, c] = [Math.floor(i / channels) % width, Math.floor(i / channels / width), i % channels];
    return Math.round(110 + 60 * Math.sin(x / 9 + c) + 50 * Math.cos(y / 7 - c) + random.between(-8, 8));
  });
  return sharp(data, { raw: { width, height, channels } });
}
const solid = (background: string) => sharp({ create: { width: 6, height: 4, channels: 3, background } });
const frames = (): Sharp =>
  sharp(Buffer.concat([0, 255, 128].map((level) => Buffer.alloc(72, level))), {
    raw: { width: 6, height: 12, channels: 3, pageHeight: 4 },
  });
const srgb = (image: Sharp): Sharp => image.withIccProfile("srgb");
const p3 = (image: Sharp): Sharp => image.withIccProfile("p3");

/** The largest difference of two lists of the same length. */
function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

/** Expects what Node gives, levels at most `most` apart, in a page and in a Worker. */
async function expectAsInNode(bytes: Uint8Array, most: number, mostInAlpha = 0): Promise<void> {
  const { picture, alpha, ...facts } = await decodePhoto(bytes);
  const [inPage, inWorker] = await Promise.all([tab.inPage.decodePhoto(bytes), tab.inWorker.decodePhoto(bytes)]);
  expect(Buffer.compare(inPage.picture.data, inWorker.picture.data)).toBe(0);
  const { picture: own, alpha: ownAlpha, ...ownFacts } = inPage;
  expect(ownFacts).toEqual(facts);
  expect([own.width, own.height]).toEqual([picture.width, picture.height]);
  expect(farthest(ownAlpha?.data ?? [], alpha?.data ?? [])).toBeLessThanOrEqual(mostInAlpha);
  expect(farthest(own.data, picture.data)).toBeLessThanOrEqual(most);
  const header = await tab.inPage.readPhotoHeader(bytes);
  expect(header).toEqual(await readPhotoHeader(bytes));
}

describe.skipIf(noBrowser)(titled("in Chromium, a photo is what it is in Node", noBrowser), () => {
  test.each<[string, () => Sharp, number]>([
    ["PNG", () => photo().png(), 0],
    ["interlaced PNG", () => photo().png({ progressive: true }), 0],
    ["palette PNG", () => photo().png({ palette: true }), 0],
    ["grey PNG", () => photo().toColourspace("b-w").png(), 0],
    ["16-bit PNG", () => photo().toColourspace("rgb16").png(), 0],
    ["16-bit grey PNG", () => photo().toColourspace("grey16").png(), 0],
    ["PNG with opacity", () => photo(4).png(), 0],
    ["16-bit PNG with opacity", () => photo(4).toColourspace("rgb16").png(), 0],
    ["JPEG without chroma subsampling", () => photo().jpeg({ quality: 95, chromaSubsampling: "4:4:4" }), 1],
    ["JPEG", () => photo().jpeg(), 1],
    ["progressive JPEG", () => photo().jpeg({ progressive: true }), 1],
    ["grey JPEG", () => photo().toColourspace("b-w").jpeg(), 0],
    ["WebP", () => photo().webp(), 1],
    ["lossless WebP", () => photo().webp({ lossless: true }), 0],
    ["lossless WebP with opacity", () => photo(4).webp({ lossless: true }), 1],
    ["GIF", () => photo().gif(), 0],
    ["AVIF", () => photo().avif({ effort: 0 }), 2],
    ["10-bit AVIF", () => photo().toColourspace("rgb16").avif({ bitdepth: 10, effort: 0 }), 2],
    ["animated GIF", () => frames().gif(), 0],
    ["animated WebP", () => frames().webp({ lossless: true }), 0],
    ["PNG with the profile of sRGB", () => srgb(photo().png()), 1],
    ["PNG in Display P3", () => p3(photo().png()), 3],
    ["16-bit PNG in Display P3", () => p3(photo().toColourspace("rgb16").png()), 5],
    ["JPEG with the profile of sRGB", () => srgb(photo().jpeg()), 1],
    ["JPEG in Display P3", () => p3(photo().jpeg()), 3],
    ["lossless WebP in Display P3", () => p3(photo().webp({ lossless: true })), 3],
    ["AVIF in Display P3", () => p3(photo().avif({ effort: 0 })), 5],
  ])("%s", async (_, make, most) => {
    await expectAsInNode(await make().toBuffer(), most);
  });

  test("an AVIF with opacity, which Chromium spreads if its file calls it limited to 16..235, as libheif's files do", async () => {
    await expectAsInNode(await photo(4).avif({ effort: 0 }).toBuffer(), 20, 20);
  });

  test.each([
    ["with a profile", "cmyk", 12],
    ["without one, which Node converts as for printing", undefined, 25],
  ])("a CMYK JPEG %s, on average", async (_, profile, most) => {
    const cmyk = photo().toColourspace("cmyk");
    const file = await (profile ? cmyk.withIccProfile(profile) : cmyk).jpeg({ quality: 95 }).toBuffer();
    const [own, other] = [await tab.inPage.decodeImage(file), (await decodePhoto(file)).picture];
    const apart = own.data.reduce((sum, level, i) => sum + Math.abs(level - other.data[i]), 0) / own.data.length;
    expect(apart).toBeLessThan(most);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("turned upright once, with EXIF orientation %i", async (orientation) => {
    const tagged = (): Sharp => photo().withMetadata({ orientation });
    await expectAsInNode(await tagged().png().toBuffer(), 1);
    await expectAsInNode(await tagged().jpeg().toBuffer(), 3);
    await expectAsInNode(await tagged().webp({ lossless: true }).toBuffer(), 3);
    await expectAsInNode(await tagged().avif({ effort: 0 }).toBuffer(), 3);
  });

  test("profiles of other spaces and of grey, in 8 and 16 bits", async () => {
    for (const depth of [8, 16] as const) {
      for (const profile of Object.values(colourSpaces).map(rgbProfile)) {
        await expectAsInNode(pngOf([0.1, 0.6, 0.3, 0.4], depth, profile), 3);
      }
      await expectAsInNode(pngOf([0.3], depth, greyProfile(1.8)), 3);
    }
  });

  test.each([
    ["not a profile", Buffer.from("no profile ".repeat(30))],
    ["without tables", profileOf("RGB ", {})],
    ["zeros in its tables", Buffer.from(rgbProfile(colourSpaces["Adobe RGB"])).fill(0, 300)],
    ["for grey", greyProfile(1.8)],
  ])("an unusable profile (%s) gives the warning and the colours of sRGB", async (_, profile) => {
    for (const depth of [8, 16] as const) {
      const { warnings } = await tab.inPage.decodePhoto(pngOf([0.8, 0.2, 0.4], depth, profile));
      expect(warnings).toMatchObject([{ code: "unusable-profile" }]);
      await expectAsInNode(pngOf([0.8, 0.2, 0.4], depth, profile), 0);
    }
  });

  test("a PNG with a profile of tables is converted by the browser", async () => {
    const lookup = Buffer.concat([Buffer.from("mft2\0\0\0\0"), Buffer.alloc(60)]);
    const { picture, warnings } = await tab.inPage.decodePhoto(
      pngOf([0.8, 0.2, 0.4], 8, profileOf("RGB ", { A2B0: lookup })),
    );
    expect([...picture.data.subarray(0, 3)]).toEqual([204, 51, 102]);
    expect(warnings).toEqual([]);
  });
});

describe.skipIf(noBrowser)(
  titled("in Chromium, a file that is no picture is refused with an ImageError", noBrowser),
  () => {
    const header = (w: number, h: number): Buffer => {
      const data = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
      data.writeUInt32BE(w, 0);
      data.writeUInt32BE(h, 4);
      return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), pngChunk("IHDR", data)]);
    };
    const end = pngChunk("IEND", Buffer.alloc(0));
    const png = (...parts: Buffer[]): Buffer =>
      Buffer.concat([...parts, pngChunk("IDAT", deflateSync(Buffer.alloc(1024))), end]);
    const hugeGif = Buffer.from("47494638396130753075800000000000ffffff2c00000000307530750002024401003b", "hex");
    const noisy = (side = 16): Sharp => {
      const random = new Random(2);
      return sharp(
        Uint8Array.from({ length: side * side * 3 }, () => random.below(256)),
        {
          raw: { width: side, height: side, channels: 3 },
        },
      );
    };

    test.each<[string, () => Buffer | Promise<Buffer>, string]>([
      ["nothing", () => Buffer.alloc(0), "empty file: found 0 bytes, expected a PNG, JPEG, WebP, AVIF or GIF picture"],
      ["text", () => Buffer.from("a dog lying down"), "an unknown format"],
      ["a BMP", () => Buffer.from("BM and so on"), "not a picture that baret reads: found a BMP"],
      ["a HEIC", () => Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1"), "a HEIC"],
      ["a TIFF", () => tiffOf([1, 2, 3]), "a browser does not read this format: found a TIFF"],
      ["an animated GIF", () => frames().gif().toBuffer(), "animated: found 3 frames, expected one picture"],
      ["an animated WebP", () => frames().webp().toBuffer(), "3 frames"],
      ["an animated PNG", () => png(header(4, 4), pngChunk("acTL", Buffer.from([0, 0, 0, 3, 0, 0, 0, 0]))), "3 frames"],
      ["a GIF cut in half", async () => (await noisy().gif().toBuffer()).subarray(0, 300), "corrupt or truncated"],
      ["an AVIF cut in half", async () => (await noisy().avif().toBuffer()).subarray(0, 400), "corrupt or truncated"],
      ["a WebP cut in half", async () => (await noisy().webp().toBuffer()).subarray(0, 100), "corrupt or truncated"],
      [
        "a JPEG cut in its header",
        async () => (await noisy().jpeg().toBuffer()).subarray(0, 100),
        "corrupt or truncated",
      ],
      [
        "a JPEG whose last rows are missing",
        async () => {
          const bytes = await noisy(64).jpeg().toBuffer();
          return bytes.subarray(0, bytes.length * 0.6);
        },
        "corrupt or truncated",
      ],
      [
        "a JPEG of zeros",
        () =>
          Buffer.concat([
            Buffer.from("ffd8ffc0000b080004000401011100ffda00080101", "hex"),
            Buffer.alloc(20),
            Buffer.from("ffd9", "hex"),
          ]),
        "corrupt or truncated",
      ],
      ["a GIF of 30,000 by 30,000 pixels", () => hugeGif, "30000x30000 = 900000000"],
      ["an SVG", () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), "an SVG"],
      ["a PNG of no width", () => png(header(0, 4)), "corrupt or truncated: found"],
      ["a decompression bomb", () => png(header(40_000, 40_000)), "too many pixels: found 40000x40000 = 1600000000"],
      ["a side above 65,535", () => png(header(65_536, 1)), "a side is too long: found 65536x1"],
      ["a PNG with its end cut off", async () => (await noisy().png().toBuffer()).subarray(0, -20), "damaged PNG"],
      [
        "pixels that do not inflate",
        () => Buffer.concat([header(9, 9), pngChunk("IDAT", Buffer.alloc(50)), end]),
        "corrupt",
      ],
    ])("%s", async (_, make, found) => {
      const bytes = await make();
      const error = (await tab.inPage.decodeImage(bytes).catch((e: unknown) => e)) as PageError;
      expect(error).toMatchObject({ name: "ImageError", code: "image" });
      expect(error.message).toContain(found);
    });

    test("a picture of more pixels than the caller allows", async () => {
      const bytes = await solid("#fff").jpeg().toBuffer();
      await expect(tab.inPage.decodeImage(bytes, { maxPixels: 23 })).rejects.toThrow("6x4 = 24, expected at most 23");
      await expect(tab.inPage.decodeImage(bytes, { maxPixels: 24 })).resolves.toMatchObject({ width: 6 });
    });

    test("a file of the user's is named", async () => {
      const named = tab.inPage.decodeFile(Buffer.from("BM and so on"), "dog.bmp");
      await expect(named).rejects.toThrow("dog.bmp: not a picture that baret reads: found a BMP");
      expect(await tab.inPage.decodeFile(await frames().gif().toBuffer(), "dog.gif")).toMatchObject({
        warnings: [{ message: "dog.gif: only the first of 3 frames is used." }],
      });
    });

    test("wrong arguments are refused with what was found and expected", async () => {
      await expect(tab.inPage.decodeAny("dog.png")).rejects.toThrow("expected a Blob, a File or the bytes");
      await expect(tab.inPage.decodeAny(new Uint8Array(1), { maxPixels: 0 })).rejects.toThrow("options.maxPixels");
    });

    test("three hundred damaged files give a picture or an ImageError", async () => {
      const image = noisy();
      const made = [image.png(), image.jpeg(), image.webp(), image.gif(), image.avif({ effort: 0 })];
      const sources = await Promise.all(made.map((format) => format.clone().toBuffer()));
      const random = new Random(1);
      for (let i = 0; i < 300; i++) {
        const bytes = Buffer.from(sources[i % sources.length]);
        for (let k = 0; k <= random.below(4); k++) bytes[random.below(bytes.length)] = random.below(256);
        const outcome: unknown = await tab.inWorker.decodePhoto(bytes).catch((e: unknown) => e);
        if (outcome instanceof Error) expect(outcome.name).toBe("ImageError");
      }
    });
  },
);
