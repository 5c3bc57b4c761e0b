import { row } from "../core/index.ts";
import { openPredictor } from "../diffusion/index.ts";
import { ddimInversion, type InversionPrompt } from "../inversion/index.ts";
import type { PrepareJob } from "./method.ts";

/**
 * Preparation by DDIM inversion alone: fills `inverted`, z* [N + 1, C, h, w], noisiest first; the last one is the photo's
 * latent. Throws as ddimInversion.
 */
export async function invertPhoto<Settings extends { readonly steps: number }>(
  { model, picture, prepared, schedule, stepDone, signal }: PrepareJob<Settings, "inverted">,
  prompt: InversionPrompt,
): Promise<void> {
  const { settings, tensors, progress } = prepared;
  if (progress.done === 0) row(tensors.inverted, settings.steps).data.set((await model.encode(picture, signal)).data);
  const predictor = await openPredictor(model, picture, undefined, signal);
  await ddimInversion(predictor, schedule, tensors.inverted, prompt, { from: progress.done, stepDone, signal });
}
