import type { Picture } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { psnr } from "../metrics/index.ts";
import type { Method } from "./method.ts";
import type { Prepared } from "./prepared/prepared.ts";

/** How near a prepared photo comes to the photo itself. All figures are PSNR in dB. */
export interface Fidelity {
  /** The photo after the VAE's encoder and decoder, which is the most that an edit can keep of it. */
  readonly roundTrip: Picture;
  /** The method's reconstruction against the round trip: what the inversion lost. Absent if the method has none. */
  readonly inversion?: number;
  /** Round trip against photo: what the VAE lost. Absent without the photo. */
  readonly vae?: number;
  /** Reconstruction against photo. Absent without the photo or a reconstruction. */
  readonly photo?: number;
}

/** Compares a finished prepared value with its photo (at the size that was prepared), as far as that is at hand. */
export async function fidelityOf(
  method: Method,
  model: Model,
  prepared: Prepared,
  photo?: Picture,
  signal?: AbortSignal,
): Promise<Fidelity> {
  return model.programs.during(["vae"], async () => {
    const decode = async (latent: Parameters<Model["decode"]>[0]) => (await model.decode(latent, signal))[0];
    const roundTrip = await decode(method.photoLatent(prepared));
    const latent = method.reconstruction?.(prepared);
    const reconstruction = latent && (await decode(latent));
    return {
      roundTrip,
      ...(reconstruction && { inversion: psnr(reconstruction, roundTrip) }),
      ...(photo && { vae: psnr(roundTrip, photo) }),
      ...(photo && reconstruction && { photo: psnr(reconstruction, photo) }),
    };
  });
}
