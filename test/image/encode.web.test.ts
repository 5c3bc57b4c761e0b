import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import type { Picture } from "../../src/core/index.ts";
import { pictureFormats, readPngText, readRecord } from "../../src/image/index.ts";
import { decodePhoto, encodePicture } from "../../src/image/node/index.ts";
import { titled } from "../support/needs.ts";
import { noBrowser, openModule, type Tab } from "../support/webModule.ts";
import type * as Page from "./page.web.ts";

let tab: Tab<typeof Page>;
beforeAll(async () => {
  if (!noBrowser) tab = await (await openModule<typeof Page>("test/image/page.web.ts")).openTab();
});

/** Soft colours, which JPEG and WebP keep well. */
const picture: Picture = {
  width: 32,
  height: 24,
  data: Uint8Array.from({ length: 32 * 24 * 3 }, (_, i) => 40 + 5 * (Math.floor(i / 3) % 32) + 10 * (i % 3)),
};
const alpha = { width: 32, height: 24, data: Uint8Array.from({ length: 32 * 24 }, (_, i) => (i * 7) % 256) };
const difference = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, level, i) => sum + Math.abs(level - b[i]), 0) / a.length;
const settings = {
  target: 'a dog — 犬 🐕 & a <b>"cat"</b> ]]> it\'s &amp; &lt;',
  controls: "\u0001\t\n\r\u007f\uffff\ud800",
};
const record = JSON.stringify(settings);

describe.skipIf(noBrowser).each(pictureFormats)(titled("in Chromium, a picture written as %s", noBrowser), (format) => {
  test("has this format and its colours for sharp and for the browser", async () => {
    for (const side of ["inPage", "inWorker"] as const) {
      const bytes = await tab[side].encodePicture(picture, { format });
      const [other, own] = [await decodePhoto(bytes), await tab[side].decodePhoto(bytes)];
      for (const photo of [other, own]) {
        expect(photo).toMatchObject({ format, warnings: [], picture: { width: 32, height: 24 } });
        expect(difference(photo.picture.data, picture.data)).toBeLessThan(format === "png" ? 1e-9 : 2);
      }
    }
  });

  test("has the record, character by character, and other programs find the pixels unchanged", async () => {
    for (const given of [{}, format === "jpeg" ? {} : { alpha }]) {
      const bytes = await tab.inPage.encodePicture(picture, { format, record, ...given });
      expect(JSON.parse(readRecord(bytes) ?? "")).toEqual(settings);
      expect(JSON.parse((await tab.inPage.recordOf(bytes)) ?? "")).toEqual(settings);
      const bare = await tab.inPage.encodePicture(picture, { format, ...given });
      expect(await sharp(bytes).raw().toBuffer()).toEqual(await sharp(bare).raw().toBuffer());
      if (format !== "png") expect((await sharp(bytes).metadata()).xmpAsString).toContain("<baret:record>");
      else expect(readPngText(bytes)).toEqual({ baret: record });
    }
    expect(readRecord(await tab.inPage.encodePicture(picture, { format }))).toBeUndefined();
  });

  test("of sides whose size has each of its bytes", async () => {
    for (const [width, height] of [
      [1, 1],
      [255, 257],
      [1025, 3],
    ]) {
      const data = new Uint8Array(3 * width * height).fill(99);
      const bytes = await tab.inPage.encodePicture({ width, height, data }, { format, record });
      expect(await sharp(bytes).metadata()).toMatchObject({ width, height });
      expect(JSON.parse(readRecord(bytes) ?? "")).toEqual(settings);
    }
  });

  test("is converted from a PNG with its record, and says its size", async () => {
    const png = await encodePicture(picture, { record });
    const converted = await tab.inPage.convertPicture(png, { format });
    expect(converted).toMatchObject({ width: 32, height: 24 });
    expect(JSON.parse(readRecord(converted.bytes) ?? "")).toEqual(settings);
    expect(difference((await decodePhoto(converted.bytes)).picture.data, picture.data)).toBeLessThan(2);
    await expect(tab.inPage.convertPicture(png.subarray(0, 200), { format })).rejects.toMatchObject({ code: "image" });
  });

  test("is refused if its record is too long", async () => {
    const long = "x".repeat(format === "jpeg" ? 60_000 : 4 << 20);
    const refused = tab.inPage.encodePicture(picture, { format, record: long });
    await expect(refused).rejects.toMatchObject({ code: "image" });
  });
});

describe.skipIf(noBrowser)(titled("in Chromium, opacity", noBrowser), () => {
  const rgba = Uint8Array.from({ length: 32 * 24 * 4 }, (_, i) => (i % 4 === 3 ? alpha.data[i >> 2] : (i * 13) % 256));

  test("survives a round trip to the bit in a PNG, with the picture on white", async () => {
    const file = await sharp(rgba, { raw: { width: 32, height: 24, channels: 4 } })
      .png()
      .toBuffer();
    const photo = await tab.inPage.decodePhoto(file);
    expect(photo).toEqual(await decodePhoto(file));
    const again = await tab.inPage.encodePicture(photo.picture, { alpha: photo.alpha });
    expect(await tab.inPage.decodePhoto(again)).toEqual(photo);
    expect(await decodePhoto(again)).toEqual(photo);
  });

  test("survives to the bit in a WebP", async () => {
    const bytes = await tab.inPage.encodePicture(picture, { format: "webp", alpha });
    expect((await decodePhoto(bytes)).alpha).toEqual(alpha);
    expect((await tab.inPage.decodePhoto(bytes)).alpha).toEqual(alpha);
  });

  test("is dropped in a JPEG, whose picture stays on white", async () => {
    expect(await tab.inPage.encodePicture(picture, { format: "jpeg", alpha })).toEqual(
      await tab.inPage.encodePicture(picture, { format: "jpeg" }),
    );
  });
});

describe.skipIf(noBrowser)(titled("in Chromium", noBrowser), () => {
  test("a PNG is the one that encodePng writes, and its text is in order", async () => {
    const png = await tab.inPage.encodePng(picture, { baret: record });
    expect(png).toEqual(await tab.inPage.encodePicture(picture, { record }));
  });

  test("higher quality means more bytes", async () => {
    const noise = { ...picture, data: picture.data.map((_, i) => (i * i * 31) % 251) };
    for (const format of ["jpeg", "webp"] as const) {
      const sizes = await Promise.all(
        [10, 50, 92].map(async (quality) => (await tab.inPage.encodePicture(noise, { format, quality })).length),
      );
      expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
      expect((await tab.inPage.encodePicture(noise, { format })).length).toBe(sizes[2]);
    }
  });

  test("wrong arguments are refused as in Node", async () => {
    const short = { ...picture, data: picture.data.subarray(1) };
    await expect(tab.inPage.encodePicture(short)).rejects.toThrow("three bytes per pixel");
    await expect(tab.inPage.encodePicture(picture, { quality: 80 })).rejects.toThrow("quality is for JPEG and WebP");
    const wide = { ...alpha, width: 31 };
    await expect(tab.inPage.encodePicture(picture, { alpha: wide })).rejects.toThrow("does not fit its picture");
  });
});
