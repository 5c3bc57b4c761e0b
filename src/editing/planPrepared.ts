import { type Picture, startSha256, version } from "../core/index.ts";
import { type Model, modelHash } from "../diffusion/index.ts";
import type { Method } from "./method.ts";
import { largerPhoto, type PrepareInput, type PreparePlan, type PrepareWork, planPreparation } from "./prepare.ts";

/** Returns the SHA-256 of a picture's size and pixels, as hexadecimal digits. */
export const pictureHash = ({ width, height, data }: Picture): string =>
  startSha256().update(`${width}x${height}\n`).update(data).digest();

/** Plans the preparation of a picture (at the size to work at), with the hashes that its files and the cache need. */
export async function planPrepared(
  method: Method,
  model: Model,
  picture: Picture,
  input: PrepareInput,
  { photoAt, ...work }: Pick<PrepareWork, "onProgress" | "signal" | "photoAt"> = {},
): Promise<PreparePlan> {
  const origin = {
    model: await modelHash(model, work),
    picture: pictureHash(picture),
    versions: { baret: version },
  };
  const plan = planPreparation(method, model, picture, input, origin);
  const larger = largerPhoto(method, picture, plan.settings, photoAt);
  return larger ? { ...plan, origin: { ...plan.origin, larger: pictureHash(larger) } } : plan;
}
