import { ImageError, type Picture } from "../core/index.ts";
import { type Filter, resize } from "./resize.ts";

export interface FitOptions {
  /** Size wanted, in pixels. With one given, the other follows the picture's shape; with none, the picture's own. */
  width?: number;
  height?: number;
  /** Both sides must be multiples of this (the VAE's factor, 8 for Stable Diffusion). Default 1. */
  multiple?: number;
  /**
   * What happens where the shapes differ. crop: the centre is kept (default). pad: the whole picture is kept, its
   * outermost pixels repeated to fill the rest. stretch: its shape changes.
   */
  mode?: "crop" | "pad" | "stretch";
  filter?: Filter;
}

/** The part of a picture from (left, top), width × height. */
export function crop(picture: Picture, left: number, top: number, width: number, height: number): Picture {
  const inside = left >= 0 && top >= 0 && left + width <= picture.width && top + height <= picture.height;
  if (!inside || ![left, top, width, height].every(Number.isInteger) || width < 1 || height < 1) {
    throw new ImageError("a crop must lie inside its picture", {
      found: `${width}x${height} at ${left},${top}`,
      expected: `a part of ${picture.width}x${picture.height}`,
    });
  }
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = 3 * ((top + y) * picture.width + left);
    data.set(picture.data.subarray(start, start + 3 * width), 3 * y * width);
  }
  return { width, height, data };
}

/** The picture in the middle of width × height; what is left over repeats its outermost pixels. */
function padByEdge(picture: Picture, width: number, height: number): Picture {
  const left = Math.floor((width - picture.width) / 2);
  const top = Math.floor((height - picture.height) / 2);
  const data = new Uint8Array(width * height * 3);
  const clamp = (x: number, size: number): number => Math.min(Math.max(x, 0), size - 1);
  for (let y = 0; y < height; y++) {
    const row = clamp(y - top, picture.height) * picture.width;
    for (let x = 0; x < width; x++) {
      const source = 3 * (row + clamp(x - left, picture.width));
      data.set(picture.data.subarray(source, source + 3), 3 * (y * width + x));
    }
  }
  return { width, height, data };
}

/** The nearest multiple, but at least one. */
const toMultiple = (size: number, multiple: number): number => Math.max(1, Math.round(size / multiple)) * multiple;

function targetSize(picture: Picture, { width, height, multiple = 1 }: FitOptions): [number, number] {
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
  const aspect = picture.width / picture.height;
  return [
    width ?? toMultiple(height === undefined ? picture.width : height * aspect, multiple),
    height ?? toMultiple(width === undefined ? picture.height : width / aspect, multiple),
  ];
}

/**
 * Brings a picture to the size a model works at: any width and height that are multiples of its factor, not only
 * squares. Throws ImageError for sizes that are not.
 */
export function fitImage(picture: Picture, options: FitOptions): Picture {
  const [width, height] = targetSize(picture, options);
  const { mode = "crop", filter = "bicubic" } = options;
  if (mode === "stretch") return resize(picture, width, height, filter);
  const byWidth = width / picture.width;
  const byHeight = height / picture.height;
  const within = (size: number, limit: number): number => Math.min(Math.max(1, Math.round(size)), limit);
  if (mode === "pad") {
    const scale = Math.min(byWidth, byHeight);
    const inner = resize(picture, within(picture.width * scale, width), within(picture.height * scale, height), filter);
    return padByEdge(inner, width, height);
  }
  const scale = Math.max(byWidth, byHeight);
  const keptWidth = within(width / scale, picture.width);
  const keptHeight = within(height / scale, picture.height);
  const left = Math.floor((picture.width - keptWidth) / 2);
  const top = Math.floor((picture.height - keptHeight) / 2);
  return resize(crop(picture, left, top, keptWidth, keptHeight), width, height, filter);
}
