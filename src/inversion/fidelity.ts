import { type Picture, row } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { psnr } from "../metrics/index.ts";
import type { Inversion } from "./inversion.ts";

/** How near an inversion comes to its photo. All figures are PSNR in dB. */
export interface Fidelity {
  /** Where sampling with the tuned embeddings leads. */
  readonly reconstruction: Picture;
  /** The photo as the VAE gives it back, which is the most that an edit can keep of it. */
  readonly roundTrip: Picture;
  /** Reconstruction against round trip: what the inversion lost. */
  readonly inversion: number;
  /** Round trip against photo: what the VAE lost. Absent without the photo. */
  readonly vae?: number;
  /** Reconstruction against photo. Absent without the photo. */
  readonly photo?: number;
}

/** Compares a finished inversion with its photo (at the size that was inverted), as far as that is at hand. */
export async function fidelityOf(
  model: Model,
  { reconstruction: reached, inverted, settings: { steps } }: Inversion,
  photo?: Picture,
  signal?: AbortSignal,
): Promise<Fidelity> {
  const [reconstruction] = await model.decode(row(reached, steps), signal);
  const [roundTrip] = await model.decode(row(inverted, steps), signal);
  await model.programs.finished("vae");
  return {
    reconstruction,
    roundTrip,
    inversion: psnr(reconstruction, roundTrip),
    ...(photo && { vae: psnr(roundTrip, photo), photo: psnr(reconstruction, photo) }),
  };
}
