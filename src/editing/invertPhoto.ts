import { row, type Tensor } from "../core/index.ts";
import { type LatentShapes, openPredictor } from "../diffusion/index.ts";
import { ddimInversion, type InversionPrompt } from "../inversion/index.ts";
import type { PrepareJob } from "./method.ts";
import type { Prepared } from "./prepared/prepared.ts";

/** The parts of a method whose preparation is DDIM inversion alone. */
export const invertedOnly = {
  prepareSteps: ({ steps }: { readonly steps: number }): number => steps,
  /** inverted: z*, [N + 1, C, h, w], noisiest first; the last one is the photo's latent. */
  tensors: (
    { steps }: { readonly steps: number },
    { latent }: LatentShapes,
  ): { readonly inverted: { readonly shape: readonly number[] } } => ({ inverted: { shape: [steps + 1, ...latent] } }),
  photoLatent: ({ tensors, settings }: Prepared<{ readonly steps: number }, "inverted">): Tensor =>
    row(tensors.inverted, settings.steps),
};

/** Prepares a photo by DDIM inversion alone: fills `inverted`. Throws as ddimInversion. */
export async function invertPhoto<Settings extends { readonly steps: number }>(
  { model, picture, prepared, schedule, stepDone, signal }: PrepareJob<Settings, "inverted">,
  prompt: InversionPrompt,
): Promise<void> {
  const { settings, tensors, progress } = prepared;
  if (progress.done === 0) row(tensors.inverted, settings.steps).data.set((await model.encode(picture, signal)).data);
  const predictor = await openPredictor(model, picture, undefined, signal);
  await ddimInversion(predictor, schedule, tensors.inverted, prompt, { from: progress.done, stepDone, signal });
}
