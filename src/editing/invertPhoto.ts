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

/**
 * Inverts the photo in the first N steps of `prepare`: fills `inverted`, or copies it if `trajectories` has it. Does nothing
 * if these steps are done. Throws as ddimInversion.
 */
export async function invertPhoto<Settings extends { readonly steps: number }>(
  { model, picture, prepared, schedule, trajectories, stepDone, signal }: PrepareJob<Settings, "inverted">,
  prompt: InversionPrompt,
): Promise<void> {
  const { settings, tensors, progress, timesteps } = prepared;
  const { inverted } = tensors;
  const total = settings.steps;
  if (progress.done >= total) return;
  const photo = row(inverted, total);
  if (progress.done === 0) photo.data.set((await model.encode(picture, signal)).data);
  const input = { origin: machineOf(prepared), timesteps, photo, prompt };
  const known = await trajectories?.find(input);
  if (known) {
    inverted.data.set(known.data);
    for (let done = progress.done + 1; done <= total; done++) await stepDone({ phase: "invert", done, total });
    return;
  }
  const predictor = await openPredictor(model, picture, undefined, signal);
  await ddimInversion(predictor, schedule, inverted, prompt, { from: progress.done, stepDone, signal });
  await trajectories?.keep(input, inverted);
}

/** Returns the model, the engine and the versions that the bits of a trajectory depend on. */
function machineOf({ origin: { model, device, threads, versions } }: Pick<Prepared, "origin">): Record<string, string> {
  return { ...versions, model, device, threads: `${threads}` };
}

/** The parts of a method whose preparation is DDIM inversion with the photo's caption, without guidance. */
export const invertedWithCaption = {
  ...invertedOnly,
  prepare: (job: PrepareJob<{ readonly steps: number }, "inverted">): Promise<void> => {
    const { source, empty } = job.embeddings;
    return invertPhoto(job, { context: source, empty, guidance: 1 });
  },
};
