import { BaretError, type Fit, ImageError, type Picture, type Warning } from "../core/index.ts";
import type { Model, PhotoFile, Size } from "../diffusion/index.ts";
import { pictureHash } from "../editing/index.ts";
import { type AlphaChannel, type FitMode, fitImage, pasteBack } from "../image/index.ts";

/** A picture file, given by its path or its bytes, or a decoded picture. In a browser, a string is a URL. */
export type PhotoInput = PhotoFile | Picture;

/** How fitImage treats a photo for each way to fit it. */
export const modes: Readonly<Record<Fit, FitMode>> = {
  crop: "crop",
  pad: "pad",
  stretch: "stretch",
  paste: "crop",
  whole: "pad",
};

export interface FitOptions {
  /** Size to work at. Default: the model's. */
  size?: Size;
  /** Way to fit the photo to the size. Default: crop. */
  fit?: Fit;
}

/** A photo, upright, at the size to work at. */
export interface Photo {
  /** Its path, or "the photo". */
  readonly name: string;
  readonly picture: Picture;
  /** SHA-256 of size and pixels of `picture`. */
  readonly sha256: string;
  readonly fit: Fit;
  /** The photo at its own size. */
  readonly full: Picture;
  /** Opacity of `full`, if any pixel is not opaque. */
  readonly alpha?: AlphaChannel;
  /** Description of its sizes and its fit, for messages. */
  readonly how: string;
  readonly enlarged: boolean;
  /** Warnings about its file, such as ignored frames. */
  readonly warnings: readonly Warning[];
}

const sizeText = ({ width, height }: Size): string => `${width}x${height}`;

const descriptions: Readonly<Record<Fit, string>> = {
  crop: "its centre",
  pad: "all of it, with its edges continued",
  stretch: "stretched",
  paste: "its centre, pasted back into the photo",
  whole: "all of it, resized back to its own size",
};

/** Runs work that blocks the thread. */
export type RunBlocking = <T>(work: () => T) => T | Promise<T>;

/** Reads a photo and fits it to the size to work at. Throws ImageError, UsageError. */
export async function openPhoto(
  model: Pick<Model, "workingSize" | "platform">,
  photo: PhotoInput,
  { size, fit = "crop" }: FitOptions = {},
  runBlocking: RunBlocking = (work) => work(),
): Promise<Photo> {
  const { height, width } = model.workingSize(size);
  const isPicture = typeof photo === "object" && "width" in photo;
  const {
    picture: full,
    alpha,
    warnings,
  } = isPicture ? { picture: photo, warnings: [] } : await model.platform.decodePhoto(photo);
  const picture = await runBlocking(() => fitImage(full, { width, height, mode: modes[fit] }));
  const [byWidth, byHeight] = [width / full.width, height / full.height];
  const sizes = sizeText(full) === sizeText(picture) ? sizeText(full) : `${sizeText(full)} to ${sizeText(picture)}`;
  const sameShape = full.width * height === full.height * width;
  return {
    name: typeof photo === "string" ? photo : "the photo",
    picture,
    sha256: pictureHash(picture),
    fit,
    full,
    alpha,
    how: sameShape && modes[fit] === fit ? sizes : `${sizes}, ${descriptions[fit]}`,
    enlarged: (modes[fit] === "pad" ? Math.min(byWidth, byHeight) : Math.max(byWidth, byHeight)) > 1,
    warnings,
  };
}

/** Returns an edit as it is written: at the photo's own size if `fit` is paste or whole, with the photo's opacity. */
export async function finishedPicture(
  { full, fit, alpha, picture: { width, height } }: Photo,
  edited: Picture,
  runBlocking: RunBlocking = (work) => work(),
): Promise<{ picture: Picture; alpha?: AlphaChannel }> {
  const mode = modes[fit];
  if (mode !== fit)
    return { picture: await runBlocking(() => pasteBack(full, edited, { width, height, mode })), alpha };
  if (!alpha) return { picture: edited };
  const fitted = await runBlocking(() => fitImage(alpha, { width, height, mode }));
  return { picture: edited, alpha: fitted };
}

/** Returns the photo at the size of an edit: its own size if the edit was put back into it. */
export const photoLike = ({ picture, full }: Photo, edit: Picture): Picture =>
  edit.width === picture.width && edit.height === picture.height ? picture : full;

/** Returns a photo at a larger size of the same shape, fitted in the same way. */
export const photoAt =
  ({ full, fit }: Photo) =>
  (size: Size): Picture =>
    fitImage(full, { ...size, mode: modes[fit] });

/** Opens photos one after the other. Throws one ImageError that lists every photo that cannot be read. */
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
