import { BaretError, ImageError, type Picture } from "../../core/index.ts";
import type { Model, Size } from "../../diffusion/index.ts";
import { openPhoto } from "../../editing/node.ts";
import { decodeImage } from "../../image/node.ts";
import { pictureHash } from "../../inversion/node.ts";
import { holdingThread } from "../interrupt.ts";

export const fits = ["crop", "pad", "stretch"] as const;
export type Fit = (typeof fits)[number];

/** A photo at the size that a model works at. */
export interface Photo {
  readonly path: string;
  readonly picture: Picture;
  /** Of the picture as it is now: size and pixels. */
  readonly sha256: string;
  /** What became of it on the way here. */
  readonly remark: string;
  /** Whether detail had to be made up. */
  readonly enlarged: boolean;
}

const sizeText = ({ width, height }: Size): string => `${width}x${height}`;

function remarkOf(full: Picture, fitted: Picture, fit: Fit): string {
  const sizes = sizeText(full) === sizeText(fitted) ? sizeText(full) : `${sizeText(full)} to ${sizeText(fitted)}`;
  const sameShape = full.width * fitted.height === full.height * fitted.width;
  const how = {
    crop: "its centre (--fit pad keeps all of it)",
    pad: "all of it, its edges continued",
    stretch: "stretched",
  };
  return sameShape ? sizes : `${sizes}, ${how[fit]}`;
}

/** Reads a photo and brings it to a size. Throws ImageError. */
async function readPhoto(path: string, size: Size, fit: Fit, model: Model): Promise<Photo> {
  const full = await decodeImage(path);
  const picture = await holdingThread(() => openPhoto(model, full, { size, fit }));
  const [byWidth, byHeight] = [size.width / full.width, size.height / full.height];
  const scale = fit === "pad" ? Math.min(byWidth, byHeight) : Math.max(byWidth, byHeight);
  return {
    path,
    picture,
    sha256: pictureHash(picture),
    remark: remarkOf(full, picture, fit),
    enlarged: scale > 1,
  };
}

/** Reads photos before any work is done on one of them. Throws ImageError that lists all that cannot be read. */
export async function readPhotos(paths: readonly string[], size: Size, fit: Fit, model: Model): Promise<Photo[]> {
  const photos: Photo[] = [];
  const problems: BaretError[] = [];
  for (const path of paths) {
    try {
      photos.push(await readPhoto(path, size, fit, model));
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
  return photos;
}
