// BARET as a method of the library: a photo in any form, prepared once, edited as often as one likes.
import { z } from "zod";
import {
  aFunction,
  aPicture,
  aSize,
  checkArguments,
  isA,
  oneOf,
  type Picture,
  someText,
  type Work,
  whole,
  workFields,
} from "../core/index.ts";
import { aModel, type Model, type Size } from "../diffusion/index.ts";
import { modelHash } from "../diffusion/node.ts";
import { fitImage } from "../image/index.ts";
import { decodeImage } from "../image/node.ts";
import { type Inversion, inversionOptions, requireInversionOf } from "../inversion/index.ts";
import { type PrepareOptions as InvertOptions, prepare as invertPicture, Shelf } from "../inversion/node.ts";
import * as method from "./index.ts";

/** A PNG, JPEG or WebP by its path or its bytes, or pixels. */
export type Photo = string | Uint8Array | Picture;

export interface FitOptions {
  /** Size to work at. Default: the model's, square. */
  size?: Size;
  /** Where the shapes differ: crop keeps the middle (default), pad everything, stretch changes the shape. */
  fit?: "crop" | "pad" | "stretch";
}

const aPhoto = z.union([someText, isA<Uint8Array>("bytes", (value) => value instanceof Uint8Array), aPicture], {
  error: "expected a path, the bytes of a picture file, or a picture",
});
const anInversion = isA<Inversion>("an inversion, as prepare and readInversion give it", (value) => {
  const fields = ["target", "size", "settings", "origin", "timesteps", "inverted", "embeddings", "trace", "done"];
  return typeof value === "object" && value !== null && fields.every((field) => field in value);
});
const lockStepWork = { ...workFields, onStep: aFunction.optional() };

const prepareArguments = z.object({
  model: aModel,
  photo: aPhoto,
  options: inversionOptions.extend({
    target: z.string().regex(/\S/, "expected what the edit shows"),
    size: aSize.optional(),
    fit: oneOf(["crop", "pad", "stretch"]).optional(),
    file: someText.optional(),
    shelf: isA<Shelf>("a Shelf", (value) => value instanceof Shelf).optional(),
  }),
  work: z.looseObject(workFields),
});
const editArguments = z.object({
  model: aModel,
  inversion: anInversion,
  options: method.baretOptions,
  work: z.looseObject({ ...lockStepWork, images: z.array(oneOf(method.roles)).optional() }),
});
const sweepArguments = z.object({
  model: aModel,
  inversion: anInversion,
  common: method.baretOptions,
  points: z.array(method.baretOptions.pick({ alpha: true, alphaShape: true, selfSteps: true, crossSteps: true })),
  work: z.looseObject({ ...lockStepWork, atOnce: whole(1, 1000).optional(), onPicture: aFunction.optional() }),
});

/** A photo, upright, at the size that the model works at. Throws ImageError, UsageError. */
export async function openPhoto(model: Model, photo: Photo, { size, fit }: FitOptions = {}): Promise<Picture> {
  const { height, width } = model.workingSize(size);
  const isPicture = typeof photo === "object" && "width" in photo;
  return fitImage(isPicture ? photo : await decodeImage(photo), { width, height, mode: fit });
}

export interface PrepareOptions extends InvertOptions, FitOptions {}

/**
 * Inverts a photo towards a target sentence: what every edit of that photo with that sentence starts from. Throws
 * ImageError, UsageError, StorageError where `file` holds another inversion, CancelledError.
 */
export async function prepare(model: Model, photo: Photo, given: PrepareOptions, work: Work = {}): Promise<Inversion> {
  checkArguments("prepare", prepareArguments, { model, photo, options: given, work });
  const { size, fit, ...options } = given;
  return invertPicture(model, await openPhoto(model, photo, { size, fit }), options, work);
}

/** Throws StorageError where an inversion is not finished, or is one of another model. */
const requireOwn = async (model: Model, inversion: Inversion, { signal }: Work = {}): Promise<void> =>
  requireInversionOf(model, inversion, { model: await modelHash(model, { signal }) });

/**
 * BARET's edit of an inverted photo. images: which of the four named pictures are wanted. Throws UsageError, StorageError
 * where the inversion is not finished or belongs to another model, NumericError, CancelledError.
 */
export const edit: typeof method.edit = async (model, inversion, options = {}, work = {}) => {
  checkArguments("edit", editArguments, { model, inversion, options, work });
  await requireOwn(model, inversion, work);
  return method.edit(model, inversion, options, work);
};

/**
 * BARET's edits of one inverted photo at several points, which share what they have in common. Throws UsageError for any
 * point before the first is computed, StorageError where the inversion is not finished or belongs to another model,
 * NumericError, CancelledError.
 */
export const sweep: typeof method.sweep = async (model, inversion, common, points, work = {}) => {
  checkArguments("sweep", sweepArguments, { model, inversion, common, points, work });
  await requireOwn(model, inversion, work);
  return method.sweep(model, inversion, common, points, work);
};
