import type { Picture } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { psnr } from "../metrics/index.ts";
import type { Method } from "./method.ts";
import type { Prepared } from "./prepared/prepared.ts";

/** Similarity of a prepared photo to the photo: PSNR in dB, Infinity if there is no difference. */
export interface Quality {
  /** Reconstruction against the VAE's round trip: the loss of the inversion. Absent if the method has no reconstruction. */
  readonly inversion?: number;
  /** Round trip against the photo: the loss of the VAE. Absent without the photo. */
  readonly vae?: number;
  /** Reconstruction against the photo. Absent without the photo or a reconstruction. */
  readonly photo?: number;
}

export interface Fidelity extends Quality {
  /** The photo after the VAE's encoder and decoder. No edit can be more like the photo than this. */
  readonly roundTrip: Picture;
}

/** Facts for comparing a prepared value with its photo. */
export interface FidelityFacts {
  /** At the size that was prepared. Without it, the reconstruction is compared with the VAE's round trip only. */
  readonly photo?: Picture;
  /** Resolved settings of the edit that the reconstruction is for. Default: those that leave it as it was prepared. */
  readonly edit?: Readonly<Record<string, unknown>>;
}

/** Compares a finished prepared value with its photo. */
export async function fidelityOf(
  method: Method,
  model: Model,
  prepared: Prepared,
  { photo, edit }: FidelityFacts = {},
  signal?: AbortSignal,
): Promise<Fidelity> {
  return model.programs.during(["vae"], async () => {
    const decode = async (latent: Parameters<Model["decode"]>[0]) => (await model.decode(latent, signal))[0];
    const roundTrip = await decode(method.photoLatent(prepared));
    const latent = method.reconstruction?.(prepared, edit);
    const reconstruction = latent && (await decode(latent));
    return {
      roundTrip,
      ...(reconstruction && { inversion: psnr(reconstruction, roundTrip) }),
      ...(photo && { vae: psnr(roundTrip, photo) }),
      ...(photo && reconstruction && { photo: psnr(reconstruction, photo) }),
    };
  });
}
