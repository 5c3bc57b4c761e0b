import { ImageError, type Picture } from "../core/index.ts";
import { channelsOf, type Filter, resize } from "./resize.ts";

/**
 * Treatment of a photo whose shape differs from that of the requested size. crop: keeps the centre. pad: keeps the whole
 * photo and repeats its outermost pixels to fill the rest. stretch: changes its shape.
 */
export const fitModes = ["crop", "pad", "stretch"] as const;
export type FitMode = (typeof fitModes)[number];

export interface FitOptions {
  /** Requested size in pixels. If one side is missing, it follows the photo's shape; if both are, the photo's size is kept. */
  width?: number;
  height?: number;
  /** Both sides must be multiples of this (the VAE's factor, 8 for Stable Diffusion). Default 1. */
  multiple?: number;
  /** Default crop. */
  mode?: FitMode;
  filter?: Filter;
}

/** Part of a picture, in pixels. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Returns the part of a picture inside a rectangle. Takes alpha channels too. Throws ImageError if it does not lie inside. */
export function crop(picture: Picture, left: number, top: number, width: number, height: number): Picture {
  const inside = left >= 0 && top >= 0 && left + width <= picture.width && top + height <= picture.height;
  if (!inside || ![left, top, width, height].every(Number.isInteger) || width < 1 || height < 1) {
    throw new ImageError("a crop must lie inside its picture", {
      found: `${width}x${height} at ${left},${top}`,
      expected: `a part of ${picture.width}x${picture.height}`,
    });
  }
  if (width === picture.width && height === picture.height) return picture;
  const channels = channelsOf(picture);
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const start = channels * ((top + y) * picture.width + left);
    data.set(picture.data.subarray(start, start + channels * width), channels * y * width);
  }
  return { width, height, data };
}

/** Returns a picture of width × height that has `picture` at (left, top) and repeats its outermost pixels around it. */
function padByEdge(picture: Picture, width: number, height: number, { left, top }: Rectangle): Picture {
  if (width === picture.width && height === picture.height) return picture;
  const channels = channelsOf(picture);
  const data = new Uint8Array(width * height * channels);
  const clamp = (x: number, size: number): number => Math.min(Math.max(x, 0), size - 1);
  for (let y = 0; y < height; y++) {
    const row = clamp(y - top, picture.height) * picture.width;
    for (let x = 0; x < width; x++) {
      const source = channels * (row + clamp(x - left, picture.width));
      data.set(picture.data.subarray(source, source + channels), channels * (y * width + x));
    }
  }
  return { width, height, data };
}

/** Returns the nearest multiple, but at least one. */
const toMultiple = (size: number, multiple: number): number => Math.max(1, Math.round(size / multiple)) * multiple;

function targetSize(photo: Size, { width, height, multiple = 1 }: FitOptions): [number, number] {
  if (!Number.isInteger(multiple) || multiple < 1) {
    throw new ImageError("the factor of a size", { found: `${multiple}`, expected: "a whole number of at least 1" });
  }
  const wrong = Object.entries({ width, height })
    .filter(([, size]) => size !== undefined && !(Number.isInteger(size) && size > 0 && size % multiple === 0))
    .map(([name, size]) => `${name} ${size}`);
  if (wrong.length > 0) {
    throw new ImageError("size of a picture", {
      found: wrong.join(", "),
      expected: `positive multiples of ${multiple}`,
    });
  }
  const aspect = photo.width / photo.height;
  return [
    width ?? toMultiple(height === undefined ? photo.width : height * aspect, multiple),
    height ?? toMultiple(width === undefined ? photo.height : width / aspect, multiple),
  ];
}

type Size = Pick<Picture, "width" | "height">;

/** Relates a photo and the fitted picture: `kept` of the one becomes `shown` of the other. */
export interface Placement {
  /** Size of the fitted picture. */
  readonly width: number;
  readonly height: number;
  /** Part of the photo: all of it, or its centre. */
  readonly kept: Rectangle;
  /** Part of the fitted picture: all of it, or what padding surrounds. */
  readonly shown: Rectangle;
}

/** Returns a rectangle in the middle of width × height, rounded to whole pixels, and at least one pixel. */
function centred(size: Size, within: Size): Rectangle {
  const side = (wanted: number, limit: number): number => Math.min(Math.max(1, Math.round(wanted)), limit);
  const [width, height] = [side(size.width, within.width), side(size.height, within.height)];
  return {
    left: Math.floor((within.width - width) / 2),
    top: Math.floor((within.height - height) / 2),
    width,
    height,
  };
}

/** Computes where fitImage places a photo of this size. Throws ImageError if the requested size is not allowed. */
export function placementOf(photo: Size, options: FitOptions): Placement {
  const [width, height] = targetSize(photo, options);
  const { mode = "crop" } = options;
  const fitted = { width, height };
  const [byWidth, byHeight] = [width / photo.width, height / photo.height];
  const least = Math.min(byWidth, byHeight);
  const most = Math.max(byWidth, byHeight);
  const kept = mode === "crop" ? { width: width / most, height: height / most } : photo;
  const shown = mode === "pad" ? { width: photo.width * least, height: photo.height * least } : fitted;
  return { width, height, kept: centred(kept, photo), shown: centred(shown, fitted) };
}

/**
 * Brings a picture to the size that a model works at: any width and height that are multiples of its factor, not only
 * squares. Takes alpha channels too. Throws ImageError if the requested size is not allowed.
 */
export function fitImage(picture: Picture, options: FitOptions): Picture {
  const { width, height, kept, shown } = placementOf(picture, options);
  const part = crop(picture, kept.left, kept.top, kept.width, kept.height);
  return padByEdge(resize(part, shown.width, shown.height, options.filter), width, height, shown);
}
