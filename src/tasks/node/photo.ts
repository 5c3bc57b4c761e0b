import { BaretError, ImageError, type Picture } from "../../core/index.ts";
import type { Model, Size } from "../../diffusion/index.ts";
import { pictureHash } from "../../editing/node/index.ts";
import { fitImage } from "../../image/index.ts";
import { decodeImage } from "../../image/node.ts";

/** A picture file by its path or its bytes, or pixels. */
export type PhotoInput = string | Uint8Array | Picture;

export const fits = ["crop", "pad", "stretch"] as const;

export interface FitOptions {
  /** Size to work at. Default: the model's, square. */
  size?: Size;
  /** If the shapes differ: crop keeps the middle (default), pad everything, stretch changes the shape. */
  fit?: (typeof fits)[number];
}

/** A photo, upright, at the size that a model works at. */
export interface Photo {
  /** Its path, or "the photo". */
  readonly name: string;
  readonly picture: Picture;
  /** SHA-256 of size and pixels of `picture`. */
  readonly sha256: string;
  readonly fit: (typeof fits)[number];
  /** In words, how it was brought to that size. */
  readonly how: string;
  /** Whether detail had to be made up. */
  readonly enlarged: boolean;
}

const sizeText = ({ width, height }: Size): string => `${width}x${height}`;

const words = { crop: "its centre", pad: "all of it, its edges continued", stretch: "stretched" };

/** Reads a photo and brings it to the size to work at. holding: runs work that blocks the thread. Throws ImageError, UsageError. */
export async function openPhoto(
  model: Model,
  photo: PhotoInput,
  { size, fit = "crop" }: FitOptions = {},
  holding: <T>(work: () => T) => T | Promise<T> = (work) => work(),
): Promise<Photo> {
  const { height, width } = model.workingSize(size);
  const isPicture = typeof photo === "object" && "width" in photo;
  const full = isPicture ? photo : await decodeImage(photo);
  const picture = await holding(() => fitImage(full, { width, height, mode: fit }));
  const [byWidth, byHeight] = [width / full.width, height / full.height];
  const sizes = sizeText(full) === sizeText(picture) ? sizeText(full) : `${sizeText(full)} to ${sizeText(picture)}`;
  const sameShape = full.width * height === full.height * width;
  return {
    name: typeof photo === "string" ? photo : "the photo",
    picture,
    sha256: pictureHash(picture),
    fit,
    how: sameShape ? sizes : `${sizes}, ${words[fit]}`,
    enlarged: (fit === "pad" ? Math.min(byWidth, byHeight) : Math.max(byWidth, byHeight)) > 1,
  };
}

/** Opens all, each by its own call, and lists every one that fails. Throws ImageError. */
export async function openAll<T>(open: readonly (() => Promise<T>)[]): Promise<T[]> {
  const opened: T[] = [];
  const problems: BaretError[] = [];
  for (const one of open) {
    try {
      opened.push(await one());
    } catch (error) {
      if (!(error instanceof BaretError)) throw error;
      problems.push(error);
    }
  }
  if (problems.length === 1) throw problems[0];
  if (problems.length > 1) {
    const lines = problems.map(({ message }) => `\n  ${message}`);
    throw new ImageError(`${problems.length} photos cannot be read${lines.join("")}`);
  }
  return opened;
}
