import sharp, { type Sharp } from "sharp";
import { describe, expect, test } from "vitest";
import { ImageError, Random } from "../../src/core/index.ts";
import { withoutOrientation } from "../../src/image/header/exif.ts";
import { type ReadFormat, readHeader } from "../../src/image/header/header.ts";
import { readProfile } from "../../src/image/icc.ts";

const image = (width = 33, height = 21): Sharp => {
  const random = new Random(1);
  const data = Uint8Array.from({ length: 3 * width * height }, () => random.below(256));
  return sharp(data, { raw: { width, height, channels: 3 } });
};

const writers: Readonly<Record<string, [ReadFormat, (image: Sharp) => Sharp]>> = {
  PNG: ["png", (i) => i.png()],
  JPEG: ["jpeg", (i) => i.jpeg()],
  "progressive JPEG": ["jpeg", (i) => i.jpeg({ progressive: true })],
  "CMYK JPEG": ["jpeg", (i) => i.toColourspace("cmyk").jpeg()],
  WebP: ["webp", (i) => i.webp()],
  "lossless WebP": ["webp", (i) => i.webp({ lossless: true })],
  "WebP with opacity": ["webp", (i) => i.ensureAlpha(0.5).webp()],
  GIF: ["gif", (i) => i.gif()],
  AVIF: ["avif", (i) => i.avif({ effort: 0 })],
};
const all = Object.entries(writers).map(([name, [format, write]]) => [name, format, write] as const);

test.each(all)("of a %s: the size that sharp finds, one frame, upright", async (_, format, write) => {
  for (const [width, height] of [
    [33, 21],
    [300, 1],
    [1, 270],
  ]) {
    const bytes = await write(image(width, height)).toBuffer();
    expect(await readHeader(bytes, format)).toMatchObject({ width, height, frames: 1, orientation: 1 });
  }
});

test.each(all.filter(([, format]) => format !== "gif"))("of a %s: its colour profile", async (_, format, write) => {
  const isCmyk = _.startsWith("CMYK");
  const bytes = await write(image())
    .withIccProfile(isCmyk ? "cmyk" : "p3")
    .toBuffer();
  const { icc } = await sharp(bytes).metadata();
  const { profile } = await readHeader(bytes, format);
  expect(Buffer.from(profile!)).toEqual(icc);
  expect(readProfile(profile!)?.kind).toBe(isCmyk ? "tables" : "rgb");
});

describe.each(all.filter(([, format]) => format === "jpeg" || format === "webp"))("of a %s", (_, format, write) => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("orientation %i is found, and can be removed", async (orientation) => {
    const bytes = await write(image()).withMetadata({ orientation }).toBuffer();
    const header = await readHeader(bytes, format);
    expect(header).toMatchObject({ width: 33, height: 21, orientation });
    const upright = withoutOrientation(bytes, header);
    expect((await sharp(upright).metadata()).orientation).toBe(1);
    expect(await sharp(upright).raw().toBuffer()).toEqual(await sharp(bytes).raw().toBuffer());
  });
});

test.each([
  ["GIF", (strip: Sharp) => strip.gif(), "gif"],
  ["WebP", (strip: Sharp) => strip.webp(), "webp"],
] as const)("of an animated %s: the number of frames and the size of one", async (_, write, format) => {
  const frames = sharp(Buffer.concat([0, 255, 128].map((level) => Buffer.alloc(72, level))), {
    raw: { width: 6, height: 12, channels: 3, pageHeight: 4 },
  });
  const bytes = await write(frames).toBuffer();
  expect(await readHeader(bytes, format)).toMatchObject({ width: 6, height: 4, frames: 3 });
});

test("an AVIF's size is that of the turned picture", async () => {
  const avif = await image().avif({ effort: 0 }).toBuffer();
  const ispe = avif.indexOf("ispe");
  expect(await readHeader(avif, "avif")).toMatchObject({ width: avif.readUInt32BE(ispe + 8), height: 21 });
});

test.each(all)("a %s that is cut anywhere in its second half is refused", async (_, format, write) => {
  const bytes = await write(image()).toBuffer();
  // The last byte of a GIF says that there is nothing more, and WebP pads.
  for (let end = bytes.length >> 1; end < bytes.length - 2; end += 7) {
    await expect(readHeader(bytes.subarray(0, end), format)).rejects.toThrow(ImageError);
  }
});

test.each(all)("a damaged %s has a header or is refused with an ImageError", async (_, format, write) => {
  const whole = await write(image()).toBuffer();
  const random = new Random(7);
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(whole);
    for (let k = 0; k < 3; k++) bytes[random.below(Math.min(bytes.length, 400))] = random.below(256);
    const cut = random.below(4) ? bytes : bytes.subarray(0, random.below(bytes.length));
    const outcome: unknown = await readHeader(cut, format).catch((error: unknown) => error);
    if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ImageError);
  }
});
