import { StorageError, type Tensor } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import { encodePng } from "../../image/node.ts";
import { writeFileAtomic } from "../../storage/node.ts";
import type { Voice } from "../print.ts";

/** Previews take no more than this share of the time. */
const share = 0.2;

/**
 * Writes the edit to `path` as it looks from each step on, no more often than it is cheap. What cannot be written is
 * warned of, and the edit goes on.
 */
export function previewing(
  model: Model,
  path: string,
  signal: AbortSignal,
  voice: Voice,
): (done: number, clean: ReadonlyMap<string, Tensor>) => Promise<void> {
  let notBefore = 0;
  return async (_, clean) => {
    const latent = clean.get("edit");
    const began = performance.now();
    if (latent === undefined || began < notBefore) return;
    const [picture] = await model.decode(latent, signal);
    await writeFileAtomic(path, await encodePng(picture)).catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error;
      voice.warn(`no preview, but the edit goes on: ${error.message}`);
    });
    const took = performance.now() - began;
    notBefore = performance.now() + took * (1 / share - 1);
  };
}
