import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { ImageError, type Picture, UsageError } from "../../src/core/index.ts";
import { formatOfName, insertPngText, pictureFormats, readPngText, readRecord } from "../../src/image/index.ts";
import { convertPicture, decodeImage, decodePhoto, encodePicture, encodePng } from "../../src/image/node/index.ts";

/** Soft colours, which JPEG and WebP keep well. */
const picture: Picture = {
  width: 32,
  height: 24,
  data: Uint8Array.from({ length: 32 * 24 * 3 }, (_, i) => 40 + 5 * (Math.floor(i / 3) % 32) + 10 * (i % 3)),
};
const difference = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, level, i) => sum + Math.abs(level - b[i]), 0) / a.length;

test.each(pictureFormats)("a picture encoded as %s has this format and its colours", async (format) => {
  const bytes = await encodePicture(picture, { format });
  const photo = await decodePhoto(bytes);
  expect(photo).toMatchObject({ format, picture: { width: 32, height: 24 } });
  expect(difference(photo.picture.data, picture.data)).toBeLessThan(format === "png" ? 1e-9 : 2);
});

test("higher quality means more bytes and a smaller difference", async () => {
  const noise = { ...picture, data: picture.data.map((_, i) => (i * i * 31) % 251) };
  for (const format of ["jpeg", "webp"] as const) {
    const made = await Promise.all([10, 50, 92].map((quality) => encodePicture(noise, { format, quality })));
    const differences = await Promise.all(made.map(async (b) => difference((await decodeImage(b)).data, noise.data)));
    expect(made[0].length).toBeLessThan(made[1].length);
    expect(made[1].length).toBeLessThan(made[2].length);
    expect(differences).toEqual(differences.toSorted((a, b) => b - a));
    expect(await encodePicture(noise, { format })).toEqual(made[2]);
  }
});

describe("the record", () => {
  const settings = {
    target: 'a dog — 犬 🐕 & a <b>"cat"</b> ]]> it\'s &amp; &lt;',
    controls: "\u0001\t\n\r\u007f\uffff\ud800",
    alpha: [0.8, 0.1],
  };
  const record = JSON.stringify(settings);

  test.each(pictureFormats)("comes back from a %s, character by character", async (format) => {
    const bytes = await encodePicture(picture, { format, record });
    expect(JSON.parse(readRecord(bytes) ?? "")).toEqual(settings);
    const plain = JSON.stringify({ target: settings.target, text: "x".repeat(50_000) });
    expect(readRecord(await encodePicture(picture, { format, record: plain }))).toBe(plain);
    expect(readRecord(await encodePicture(picture, { format, record: "" }))).toBe("");
  });

  test.each(pictureFormats)("does not change the pixels of a %s", async (format) => {
    const bare = await decodePhoto(await encodePicture(picture, { format }));
    expect(await decodePhoto(await encodePicture(picture, { format, record }))).toEqual(bare);
  });

  test.each(pictureFormats)("is absent from a %s that has none", async (format) => {
    expect(readRecord(await encodePicture(picture, { format }))).toBeUndefined();
  });

  test("of a PNG is its iTXt text under the keyword baret", async () => {
    const bytes = await encodePicture(picture, { record });
    expect(bytes).toEqual(await encodePng(picture, { baret: record }));
    expect(readPngText(bytes)).toEqual({ baret: record });
  });

  test.each(["jpeg", "webp"] as const)("of a %s is well-formed XMP that other programs find", async (format) => {
    const { xmpAsString } = await sharp(await encodePicture(picture, { format, record })).metadata();
    expect(xmpAsString).toContain("<baret:record>");
    expect(xmpAsString).toContain("&amp;amp;");
    for (const character of "\u0001\uffff") expect(xmpAsString).not.toContain(character);
  });

  test("comes back from a WebP with opacity", async () => {
    const alpha = { width: 32, height: 24, data: new Uint8Array(32 * 24).fill(77) };
    expect(readRecord(await encodePicture(picture, { format: "webp", alpha, record }))).toBeDefined();
  });

  test("is found behind other metadata, which is not mistaken for it", async () => {
    const image = sharp(picture.data, { raw: { width: 32, height: 24, channels: 3 } });
    const others = image.withExif({ IFD0: { ImageDescription: "baret" } }).withXmp("<x:xmpmeta><a>&b;</a></x:xmpmeta>");
    for (const bytes of [await others.clone().jpeg().toBuffer(), await others.clone().webp().toBuffer()]) {
      expect(readRecord(bytes)).toBeUndefined();
    }
    const made = Buffer.from(await encodePicture(picture, { format: "jpeg", record: '"a"' }));
    const exif = Buffer.from("\xff\xe1\0\x0aExif\0\0ab", "latin1");
    expect(readRecord(Buffer.concat([made.subarray(0, 2), exif, Buffer.of(0xff), made.subarray(2)]))).toBe('"a"');
  });

  test("is refused with its length if it is too long", async () => {
    const long = "x".repeat(60_000);
    await expect(encodePicture(picture, { format: "jpeg", record: long })).rejects.toThrow(ImageError);
    await expect(encodePicture(picture, { format: "jpeg", record: long })).rejects.toThrow(
      /too long for a JPEG: found 60\.\d kB, expected at most 60\.0 kB\.\nWrite a PNG/,
    );
    expect(readRecord(await encodePicture(picture, { format: "webp", record: long }))).toBe(long);
    const huge = "x".repeat(4 << 20);
    for (const format of ["png", "webp"] as const) {
      await expect(encodePicture(picture, { format, record: huge })).rejects.toThrow(ImageError);
    }
  });

  test("of a file in another format is refused, and the format is named", async () => {
    const gif = await sharp(picture.data, { raw: { width: 32, height: 24, channels: 3 } })
      .gif()
      .toBuffer();
    for (const [bytes, name] of [
      [gif, "a GIF"],
      [Buffer.from("plain text"), "an unknown format"],
      [Buffer.alloc(0), "an unknown format"],
    ] as const) {
      expect(() => readRecord(bytes)).toThrow(`found ${name}, expected a PNG, JPEG or WebP`);
    }
  });

  test.each(pictureFormats)("of a damaged %s is the record, undefined or an ImageError", async (format) => {
    const whole = await encodePicture(picture, { format, record });
    for (let i = 0; i < 400; i++) {
      const bytes = whole.slice(0, i % 2 ? whole.length : i);
      bytes[i] ^= 0x55;
      try {
        readRecord(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ImageError);
      }
    }
  });

  test("of a JPEG whose segment is longer than the file is refused", () => {
    const packet = Buffer.from("http://ns.adobe.com/xap/1.0/\0<baret:record>", "latin1");
    const jpeg = Buffer.concat([Buffer.of(0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff), packet]);
    expect(() => readRecord(jpeg)).toThrow(/damaged JPEG: found a segment of 65535 bytes/);
  });
});

describe("opacity", () => {
  const alpha = {
    width: 32,
    height: 24,
    data: Uint8Array.from({ length: 32 * 24 }, (_, i) => (i * 7) % 256),
  };
  const rgba = Uint8Array.from({ length: 32 * 24 * 4 }, (_, i) => (i % 4 === 3 ? alpha.data[i >> 2] : (i * 13) % 256));

  test("survives a round trip to the bit in a PNG, with the picture on white", async () => {
    const file = await sharp(rgba, { raw: { width: 32, height: 24, channels: 4 } })
      .png()
      .toBuffer();
    const photo = await decodePhoto(file);
    expect(photo.alpha).toEqual(alpha);
    expect(await decodePhoto(await encodePicture(photo.picture, { alpha: photo.alpha }))).toEqual(photo);
  });

  test("survives a round trip to the bit in a WebP", async () => {
    const photo = await decodePhoto(await encodePicture(picture, { format: "webp", quality: 100, alpha }));
    expect(photo.alpha).toEqual(alpha);
  });

  test("removes the white from half-transparent pixels", async () => {
    const red = { width: 1, height: 1, data: Uint8Array.of(255, 127, 127) };
    const png = await encodePicture(red, { alpha: { width: 1, height: 1, data: Uint8Array.of(128) } });
    expect([...(await sharp(png).raw().toBuffer())]).toEqual([255, 0, 0, 128]);
  });

  test("is dropped in a JPEG, whose picture stays on white", async () => {
    expect(await encodePicture(picture, { format: "jpeg", alpha })).toEqual(
      await encodePicture(picture, { format: "jpeg" }),
    );
  });

  test("of another size is refused", async () => {
    await expect(encodePicture(picture, { alpha: { ...alpha, width: 31 } })).rejects.toThrow(
      "does not fit its picture: found 31x24, 768 bytes, expected 32x24, one byte a pixel",
    );
  });
});

test("wrong arguments are refused with what was found and expected", async () => {
  const loose = encodePicture as (...given: unknown[]) => Promise<Uint8Array>;
  for (const [given, message] of [
    [[{ ...picture, data: picture.data.subarray(1) }], /picture: found .*three bytes per pixel/],
    [[picture, { format: "bmp" }], /options.format: found "bmp", expected png, jpeg, webp/],
    [[picture, { format: "jpeg", quality: 0 }], /options.quality: found 0, expected a whole number in 1..100/],
    [[picture, { quality: 80 }], /quality is for JPEG and WebP/],
    [[picture, { record: { a: 1 } }], /options.record: found {"a":1}/],
    [[picture, { alpha: [255] }], /options.alpha: found \[255\], expected an alpha channel/],
    [[picture, { speed: 1 }], /"speed" in options: not understood/],
  ] as const) {
    await expect(loose(...given)).rejects.toThrow(UsageError);
    await expect(loose(...given)).rejects.toThrow(message);
  }
});

test("a file's ending determines its format, also in capitals", () => {
  expect(["a.png", "b/c.JPG", "d.jpeg", "e.f.WebP", "png", "g.gif", "h.png.txt", ".png/i"].map(formatOfName)).toEqual([
    "png",
    "jpeg",
    "jpeg",
    "webp",
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("a record inserted into a PNG later is found", async () => {
  expect(readRecord(insertPngText(await encodePng(picture), { baret: "1" }))).toBe("1");
});

test("a converted picture has the pixels, the opacity and the record of encodePicture, and says its size", async () => {
  const { picture, alpha } = await decodePhoto(await sharp("examples/dog.png").ensureAlpha(0.5).png().toBuffer());
  const record = JSON.stringify({ command: "edit" });
  const png = await encodePicture(picture, { record, alpha });
  for (const format of ["webp", "jpeg"] as const) {
    const { bytes, ...size } = await convertPicture(png, { format, quality: 80 });
    expect(size).toEqual({ width: picture.width, height: picture.height });
    expect(readRecord(bytes)).toBe(record);
    const own = await encodePicture(picture, { format, quality: 80, record, ...(format === "webp" && { alpha }) });
    const pixels = (file: Uint8Array) => sharp(file).raw().toBuffer();
    const [a, b] = [await pixels(bytes), await pixels(own)];
    expect(a.length).toBe(b.length);
    expect(difference(a, b)).toBeLessThan(1);
  }
  const again = await convertPicture(png, { format: "png" });
  expect(readRecord(again.bytes)).toBe(record);
  expect(await sharp(again.bytes).raw().toBuffer()).toEqual(await sharp(png).raw().toBuffer());
  await expect(convertPicture(png.subarray(0, 2000), { format: "webp" })).rejects.toThrow(ImageError);
});
