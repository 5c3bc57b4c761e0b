import { z } from "zod";
import { type ErrorDetails, ImageError, isA, type Picture, type Size, type Warning, whole } from "../core/index.ts";
import { type AlphaChannel, layOverWhite } from "./alpha.ts";
import { type PhotoFormat, sniff } from "./formats.ts";
import { longestSide } from "./resize.ts";

export interface DecodeOptions {
  /** Photos with more pixels are refused before they are decoded. Default 100 million. Sides are at most 65,535. */
  maxPixels?: number;
}

/** A photo as it is edited, and the facts about its file. */
export interface DecodedPhoto {
  /** Upright, in 8-bit sRGB. Transparent pixels are laid over white. */
  readonly picture: Picture;
  /** Absent if every pixel is opaque. */
  readonly alpha?: AlphaChannel;
  readonly format: PhotoFormat;
  /** Frames or pages after the first. They were not decoded. */
  readonly framesLeftOut: number;
  /** Codes: "frames-left-out"; "unusable-profile" if colours were taken as sRGB because their profile is damaged. */
  readonly warnings: readonly Warning[];
}

/** Facts that the header of a picture file tells. */
export interface PhotoHeader {
  readonly format: PhotoFormat;
  /** Size of the upright picture. */
  readonly width: number;
  readonly height: number;
}

/** Pixels of a file, in 8-bit sRGB. data: [height, width, channels]. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  /** 3, or 4 with opacity, not premultiplied. More if the file has channels whose meaning is not known. */
  readonly channels: number;
  readonly data: Uint8Array;
  /** The file has a colour profile that cannot be used; its numbers were taken for sRGB. */
  readonly unusableProfile: boolean;
}

export const DEFAULT_MAX_PIXELS = 100_000_000;

/** More than any picture within the default pixel limit needs, and what one Buffer can hold. */
export const MAX_FILE_BYTES = 1024 ** 3;

export const someBytes = isA<Uint8Array>("bytes", (value) => value instanceof Uint8Array);
export const decodeOptions = z.strictObject({ maxPixels: whole(1, Number.MAX_SAFE_INTEGER).optional() });

/**
 * Returns the format of a picture file. Throws ImageError with the name of the format that was found, if it is none that is read.
 */
export function requireFormat(bytes: Uint8Array, where: string | undefined, expected: string): PhotoFormat {
  if (bytes.length === 0) throw new ImageError("empty file", { where, found: "0 bytes", expected });
  const { format, name } = sniff(bytes);
  if (format === undefined) throw new ImageError("not a picture that baret reads", { where, found: name, expected });
  return format;
}

/** Throws ImageError if a picture of this size is not decoded. where: its name in errors. */
export function requireDecodable({ width, height }: Size, maxPixels: number, where: string | undefined): void {
  const refuse = (problem: string, details: ErrorDetails) => new ImageError(problem, { where, ...details });
  // A decoder holds whole rows, and takes its time for each: within the pixel limit, one row would take gigabytes.
  if (Math.max(width, height) > longestSide) {
    throw refuse("a side is too long", {
      found: `${width}x${height}`,
      expected: `at most ${longestSide} pixels along each side`,
    });
  }
  const pixels = width * height;
  if (pixels > maxPixels) {
    throw refuse("too many pixels", { found: `${width}x${height} = ${pixels}`, expected: `at most ${maxPixels}` });
  }
}

/** Facts about the file of decoded pixels. */
export interface PhotoFacts {
  readonly where: string | undefined;
  readonly format: PhotoFormat;
  readonly frames: number;
}

/** Returns the photo of decoded, upright pixels: laid over white, with the warnings that its file deserves. Throws ImageError. */
export function photoOf(samples: Samples, { where, format, frames }: PhotoFacts): DecodedPhoto {
  const { width, height, channels, data, unusableProfile } = samples;
  if (channels > 4) throw new ImageError("colours", { where, found: `${channels} channels`, expected: "at most 4" });
  const framesLeftOut = frames - 1;
  const name = where ?? "the photo";
  const warnings: Warning[] = [];
  if (framesLeftOut > 0) {
    warnings.push({
      code: "frames-left-out",
      message: `${name}: only the first of ${frames} ${format === "tiff" ? "pages" : "frames"} is used.`,
      details: { where, frames, framesLeftOut },
    });
  }
  if (unusableProfile) {
    warnings.push({
      code: "unusable-profile",
      message: `${name}: the colour profile is damaged, so its colours are taken as sRGB.`,
      details: { where },
    });
  }
  const laid = channels === 3 ? { picture: { width, height, data } } : layOverWhite(data, width, height);
  return { ...laid, format, framesLeftOut, warnings };
}

/** Throws ImageError if the file has several frames. */
export function requireOneFrame(frames: number, where: string | undefined): void {
  if (frames > 1) throw new ImageError("animated", { where, found: `${frames} frames`, expected: "one picture" });
}
