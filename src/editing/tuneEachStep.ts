import { row, type Tensor } from "../core/index.ts";
import { type LatentShapes, openPredictor } from "../diffusion/index.ts";
import {
  Adam,
  type InversionPrompt,
  openReconstructionLoss,
  sampleStep,
  type TuneInput,
  tuneStep,
} from "../inversion/index.ts";
import { invertPhoto } from "./invertPhoto.ts";
import type { PrepareJob, TensorLayout } from "./method.ts";
import type { Prepared } from "./prepared/prepared.ts";
import type { TuningSettings } from "./samplingOptions.ts";

// Inversion by tuning an embedding at each step: BARET tunes the conditional one, null-text inversion the unconditional one.

/**
 * inverted: z*, [N + 1, C, h, w]; the last one is the photo's latent. embeddings: the tuned ones, [N, L, D]. reconstruction:
 * z̄, the latents of sampling with them, [N + 1, C, h, w]. loss: the loss before each of a step's K iterations, then that of
 * the final embedding, [N, K + 1]. gradient_rms: root mean square of each iteration's gradient, [N, K]. moments: Adam's
 * moments after the last tuned step, [2, L, D].
 */
export type TunedTensor = "inverted" | "embeddings" | "reconstruction" | "loss" | "gradient_rms" | "moments";

type TunedPrepared<S extends TuningSettings> = Prepared<S, TunedTensor>;

/** Settings that only some methods have. Defaults: those of null-text inversion. */
export interface TuningChoices {
  /** The embedding to tune, and that of the other prediction. */
  readonly untuned: Tensor;
  readonly fixed: Tensor;
  readonly tunes: TuneInput["tunes"];
  readonly lastIteration?: boolean;
  /** Start each step from the embedding of the step before, instead of `untuned`. Default true. */
  readonly warmStart?: boolean;
  /** Start each step as near to `untuned` as the limit allows. Default false. */
  readonly nearestStart?: boolean;
  /** Reset Adam's moments at each step. Default true. */
  readonly resetAdam?: boolean;
  /** The latents that steps start from. Default: the reconstruction's. */
  readonly carry?: "reconstruction" | "inversion";
}

export const tunedTensors = (
  { steps, iterations }: TuningSettings,
  { latent, embedding }: LatentShapes,
): Record<TunedTensor, TensorLayout> => ({
  inverted: { shape: [steps + 1, ...latent] },
  embeddings: { shape: [steps, ...embedding] },
  reconstruction: { shape: [steps + 1, ...latent] },
  loss: { shape: [steps, iterations + 1], unset: true },
  gradient_rms: { shape: [steps, iterations], unset: true },
  moments: { shape: [2, ...embedding] },
});

/** The loss below which tuning of step i of N ends (docs/method.md). */
export const thresholdAt = (
  i: number,
  { threshold: [first, growth], steps }: Pick<TuningSettings, "threshold" | "steps">,
): number => first + (growth * i * 50) / steps;

/** Adam's learning rate at step i of N. */
export const learningRateAt = (
  i: number,
  { learningRate, learningRateEnd, steps }: Pick<TuningSettings, "learningRate" | "learningRateEnd" | "steps">,
): number => learningRate * (1 + ((learningRateEnd - 1) * i) / Math.max(1, steps - 1));

/** Returns the number of Adam's iterations at each step. */
export const iterationsOf = ({
  tensors,
  settings,
}: Pick<TunedPrepared<TuningSettings>, "tensors" | "settings">): number[] =>
  Array.from(
    { length: settings.steps },
    (_, i) => row(tensors.gradient_rms, i).data.filter((x) => !Number.isNaN(x)).length,
  );

/** The parts of a method whose preparation is DDIM inversion and tuning of each step. */
export const tunedEachStep = {
  slowest: { earlyStop: false },
  prepareSteps: ({ steps }: { readonly steps: number }): number => 2 * steps,
  tensors: tunedTensors,
  problems: problemsOfTuning,
  photoLatent: ({ tensors, settings }: TunedPrepared<TuningSettings>): Tensor => row(tensors.inverted, settings.steps),
  /** With reference latents, the reconstruction follows z*. */
  reconstruction: (
    { tensors, settings }: TunedPrepared<TuningSettings>,
    edit: Readonly<Record<string, unknown>> = {},
  ): Tensor => row(edit.referenceLatents === true ? tensors.inverted : tensors.reconstruction, settings.steps),
  iterations: (prepared: TunedPrepared<TuningSettings>): number =>
    iterationsOf(prepared).reduce((sum, n) => sum + n, 0),
};

/** Prepares a photo: DDIM inversion with `prompt` gives z*, then `choices.untuned` is tuned at each step. */
export async function invertAndTune<S extends TuningSettings>(
  job: PrepareJob<S, TunedTensor>,
  prompt: InversionPrompt,
  { untuned, fixed, tunes, lastIteration, warmStart = true, nearestStart, resetAdam = true, carry }: TuningChoices,
): Promise<void> {
  const { model, picture, prepared, schedule, stepDone, signal } = job;
  const { settings, tensors, progress } = prepared;
  const { steps: N, guidance } = settings;
  const { inverted, reconstruction } = tensors;
  await invertPhoto(job, prompt);

  const predictor = await openPredictor(model, picture, undefined, signal);
  const loss = settings.iterations > 0 ? await openReconstructionLoss(model, picture, signal) : undefined;
  if (progress.done === N) row(reconstruction, 0).data.set(row(inverted, 0).data);
  const seen = iterationsOf(prepared).reduce((sum, n) => sum + n, 0);
  const optimiser = job.optimiser ?? new Adam(tensors.moments, seen);
  for (let i = progress.done - N; i < N; i++) {
    if (resetAdam) optimiser.reset();
    const reached = row(reconstruction, i);
    const { embedding, latent, losses, gradientRms } = await tuneStep({ predictor, loss }, schedule, i, {
      tunes,
      latent: carry === "inversion" ? row(inverted, i) : reached,
      wanted: row(inverted, i + 1),
      start: warmStart && i > 0 ? row(tensors.embeddings, i - 1) : untuned,
      fixed,
      guidance,
      optimiser,
      learningRate: learningRateAt(i, settings),
      iterations: settings.iterations,
      limit: settings.earlyStop ? thresholdAt(i, settings) : 0,
      lastIteration,
      nearest: nearestStart ? untuned : undefined,
      signal,
    });
    row(tensors.embeddings, i).data.set(embedding.data);
    // If steps start from DDIM inversion's latents, z̄ is still the result of sampling from its own last latent.
    const [context, empty] = tunes === "conditional" ? [embedding, fixed] : [fixed, embedding];
    const replay = { latent: reached, context, empty, guidance };
    const next = carry === "inversion" ? await sampleStep(predictor, schedule, i, replay, signal) : latent;
    row(reconstruction, i + 1).data.set(next.data);
    row(tensors.loss, i).data.set(losses);
    row(tensors.gradient_rms, i).data.set(gradientRms);
    await stepDone({ phase: "tune", done: i + 1, total: N, loss: losses[losses.length - 1] });
  }
}

/** Lists values that tuning cannot have computed, one problem a line. */
function problemsOfTuning({ tensors, settings: { steps }, progress }: TunedPrepared<TuningSettings>): string[] {
  // |m| ≤ (1 − β₁)/√((1 − β₂)(1 − β₁²/β₂))·√v, by Cauchy and Schwarz; for Adam's constants the factor is 7.3.
  const [first, second] = [0, 1].map((k) => row(tensors.moments, k).data);
  const at = first.findIndex((m, k) => !(Math.abs(m) <= 8 * Math.sqrt(second[k]) + 1e-12));
  if (at >= 0) return [`"moments": found ${first[at]} and ${second[at]} at ${at}, which Adam cannot have`];
  const tuned = Math.max(0, progress.done - steps);
  for (let i = 0; i < steps; i++) {
    const losses = finiteCount(row(tensors.loss, i));
    const gradients = tensors.gradient_rms.data.length === 0 ? 0 : finiteCount(row(tensors.gradient_rms, i));
    // A finished step has one more loss than it has gradients.
    if (i < tuned ? losses !== gradients + 1 : Number.isNaN(losses + gradients))
      return [`"loss" and "gradient_rms": found ${losses} and ${gradients} numbers at step ${i}`];
  }
  return [];
}

/** Counts the numbers before the first NaN. Returns NaN if a number follows it, or if one is negative or infinite. */
function finiteCount({ data }: Tensor): number {
  const end = data.findIndex(Number.isNaN);
  const length = end < 0 ? data.length : end;
  const fits = data.every((x, k) => (k < length ? x >= 0 && x < Number.POSITIVE_INFINITY : Number.isNaN(x)));
  return fits ? length : Number.NaN;
}
