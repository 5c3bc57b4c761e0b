// BARET as a method of the library: a photo in any form, prepared once, edited as often as one likes.
import type { Picture, Work } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";
import { fitImage } from "../image/index.ts";
import { decodeImage } from "../image/node.ts";
import type { Inversion } from "../inversion/index.ts";
import { type PrepareOptions as InvertOptions, prepare as invertPicture } from "../inversion/node.ts";

export { edit, sweep } from "./index.ts";

/** A PNG, JPEG or WebP by its path or its bytes, or pixels. */
export type Photo = string | Uint8Array | Picture;

export interface FitOptions {
  /** Size to work at. Default: the model's, square. */
  size?: Size;
  /** Where the shapes differ: crop keeps the middle (default), pad everything, stretch changes the shape. */
  fit?: "crop" | "pad" | "stretch";
}

/** A photo, upright, at the size that the model works at. Throws ImageError, UsageError. */
export async function openPhoto(model: Model, photo: Photo, { size, fit }: FitOptions = {}): Promise<Picture> {
  const { height, width } = size ?? { height: model.editing.size, width: model.editing.size };
  model.latentShape({ height, width });
  const isPicture = typeof photo === "object" && "width" in photo;
  return fitImage(isPicture ? photo : await decodeImage(photo), { width, height, mode: fit });
}

export interface PrepareOptions extends InvertOptions, FitOptions {}

/**
 * Inverts a photo towards a target sentence: what every edit of that photo with that sentence starts from. Throws
 * ImageError, UsageError, StorageError where `file` holds another inversion, CancelledError.
 */
export async function prepare(
  model: Model,
  photo: Photo,
  { size, fit, ...options }: PrepareOptions,
  work: Work = {},
): Promise<Inversion> {
  return invertPicture(model, await openPhoto(model, photo, { size, fit }), options, work);
}
