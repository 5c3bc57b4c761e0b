import sharp, { type Metadata, type Sharp } from "sharp";
import type { Samples } from "../photo.ts";

/** Runs a pipeline and collects libvips's warnings about colour profiles: it goes on without the profile. */
async function rawSamples(image: Sharp, depth: "uchar" | "ushort") {
  let unusableProfile = false;
  image.on("warning", (text: string) => {
    unusableProfile ||= /profile|iCCP/i.test(text);
  });
  const { data, info } = await image.raw({ depth }).toBuffer({ resolveWithObject: true });
  return { data, info, unusableProfile };
}

/**
 * Decodes 16-bit RGB or grey. By default sharp transforms the first to Display P3, ignores the profile of the second and
 * cuts off the low byte; so the profile is left aside at first, applied once, straight to sRGB, and the result rounded.
 */
async function decode16Bit(open: (ignoreIcc: boolean) => Sharp, space: "rgb16" | "grey16", hasProfile: boolean) {
  const image = open(true).toColourspace(space);
  const raw = await rawSamples(hasProfile ? image.withIccProfile("srgb") : image, "ushort");
  // libvips takes Display P3 in place of a profile that it cannot use.
  if (hasProfile && raw.unusableProfile) {
    return { ...(await rawSamples(open(true).toColourspace(space), "ushort")), unusableProfile: true };
  }
  return raw;
}

/** round(v/257) of 16-bit samples. */
function toBytes({ buffer, byteOffset, length }: Buffer): Uint8Array {
  const deep = new Uint16Array(buffer, byteOffset, length / 2);
  const bytes = new Uint8Array(deep.length);
  for (let i = 0; i < deep.length; i++) bytes[i] = (deep[i] * 255 + 32_895) >> 16;
  return bytes;
}

/** Repeats the first of one or two channels: grey as RGB. */
function greyToRgb(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const wide = new Uint8Array(pixels * (channels + 2));
  for (let i = 0; i < pixels; i++) {
    const at = i * (channels + 2);
    wide.fill(data[i * channels], at, at + 3);
    if (channels === 2) wide[at + 3] = data[2 * i + 1];
  }
  return wide;
}

/** Decodes a picture file whose header is known: turned upright, its colour profile applied. Throws sharp's errors. */
export async function decodeSamples(bytes: Buffer, header: Metadata, limitInputPixels: number): Promise<Samples> {
  const { space, depth, icc } = header;
  const open = (ignoreIcc: boolean): Sharp =>
    sharp(bytes, { limitInputPixels, failOn: "error", ignoreIcc }).autoOrient();
  const is16Bit = depth === "ushort" && (space === "rgb16" || space === "grey16");
  const { data, info, unusableProfile } = is16Bit
    ? await decode16Bit(open, space, icc !== undefined)
    : await rawSamples(open(false).toColourspace("srgb"), "uchar");
  const { width, height, channels } = info;
  const found = is16Bit ? toBytes(data) : new Uint8Array(data.buffer, data.byteOffset, data.length);
  if (channels > 2) return { width, height, channels, data: found, unusableProfile };
  return { width, height, channels: channels + 2, data: greyToRgb(found, channels), unusableProfile };
}
