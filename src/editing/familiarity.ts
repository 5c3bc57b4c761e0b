import type { Picture } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { psnr } from "../metrics/index.ts";

/** How well a model's VAE knows a picture. */
export interface Familiarity {
  /** PSNR of the VAE's round trip, in decibels: no edit can keep more of the photo than that. */
  readonly roundTrip: number;
  /** What nearly all pictures of the model's world reach; absent for models trained on pictures of every kind. */
  readonly expected?: number;
  readonly isFamiliar: boolean;
}

/** Whether a picture is of the kind that a model was trained on. picture: at the size to work at. */
export async function familiarity(model: Model, picture: Picture, signal?: AbortSignal): Promise<Familiarity> {
  const roundTrip = psnr(await model.roundTrip(picture, signal), picture);
  const expected = model.editing.familiar?.roundTripPsnr;
  return { roundTrip, expected, isFamiliar: expected === undefined || roundTrip >= expected };
}
