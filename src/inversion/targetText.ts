import { lerp, meanSquaredError, rootMeanSquare, row, type Tensor } from "../core/index.ts";
import {
  applyStep,
  atLeastTwo,
  denoiseCoefficients,
  guide,
  type Predictor,
  type Schedule,
} from "../diffusion/index.ts";
import type { Adam } from "./adam.ts";
import { type InversionSettings, learningRateAt, thresholdAt } from "./options.ts";
import type { ReconstructionLoss, Step } from "./reconstructionLoss.ts";

/** Shares of the last embedding in the starts that are tried between it and the target's, the nearest to the target first. */
const MIXES = [0.25, 0.5, 0.75, 1];

/** An embedding that a step may start from, and where sampling with it leads. */
interface Start {
  /** [1, L, D] */
  readonly embedding: Tensor;
  readonly next: Tensor;
  readonly loss: number;
}

/** DDIM step i with guidance: the latent it leads to, and the output for the empty sentence. */
export async function sampleStep(
  predictor: Predictor,
  schedule: Schedule,
  i: number,
  { latent, context, empty, guidance }: { latent: Tensor; context: Tensor; empty: Tensor; guidance: number },
  signal?: AbortSignal,
): Promise<{ next: Tensor; fixed: Tensor }> {
  const rows = [empty, context].map((heard) => ({ latent, context: heard }));
  const output = await predictor.predict(rows, schedule.timesteps[i], { signal });
  const fixed = row(output, 0);
  return { fixed, next: applyStep(denoiseCoefficients(schedule, i), latent, guide(fixed, row(output, 1), guidance)) };
}

/** What target-text inversion runs. */
export interface Programs {
  readonly predictor: Predictor;
  /** Absent where no step may be tuned. */
  readonly loss: ReconstructionLoss | undefined;
}

/** One sampling step of target-text inversion. */
export interface TunedStep {
  /** c_i, [1, L, D] */
  readonly embedding: Tensor;
  /** Where sampling with c_i leads from the step's latent, [1, C, h, w]. */
  readonly latent: Tensor;
  /** Loss before each of Adam's iterations, then that of the embedding they end with. */
  readonly losses: readonly number[];
  /** Root mean square of each iteration's gradient. Near 1e-8, Adam's ε, it stops being indifferent to scale. */
  readonly gradientRms: readonly number[];
}

/** What a step of target-text inversion begins with. Latents [1, C, h, w], embeddings [1, L, D]. */
export interface TuneInputs {
  readonly latent: Tensor;
  readonly wanted: Tensor;
  /** The embedding that is tuned. */
  readonly start: Tensor;
  /** The target's, to which `nearestStart` holds. */
  readonly target: Tensor;
  readonly empty: Tensor;
  readonly adam: Adam;
}

/**
 * Target-text inversion of sampling step i (METHODS §2.1, eqs. 1 and 2): tunes c until DDIM with guidance leads from z̄_i
 * to z*_{i+1}. The loss is tested before the gradient is asked for, so a step that needs no tuning costs none; the
 * output for the empty sentence is computed once.
 *
 * z̄_{i+1} comes from the batched program that sampling uses, so that sampling with C later gives the same bits.
 */
export async function tuneStep(
  { predictor, loss }: Programs,
  schedule: Schedule,
  i: number,
  { latent, wanted, start, target, empty, adam }: TuneInputs,
  settings: InversionSettings,
  signal?: AbortSignal,
): Promise<TunedStep> {
  const timestep = schedule.timesteps[i];
  const coefficients = denoiseCoefficients(schedule, i);
  const { guidance, iterations, earlyStop } = settings;
  const limit = earlyStop ? thresholdAt(i, settings) : 0;
  const sampled = (context: Tensor) => sampleStep(predictor, schedule, i, { latent, context, empty, guidance }, signal);

  const from = settings.nearestStart ? target : start;
  const { fixed, next: reached } = await sampled(from);
  const asGiven = { embedding: from, next: reached, loss: meanSquaredError(reached, wanted) };
  const step = { latent, timestep, fixed, coefficients, guidance, wanted };
  const mixes = asGiven.loss < limit || start === from ? [] : MIXES.map((share) => lerp(from, start, share));
  const starts = [asGiven, ...(await startsFrom(predictor, mixes, step, signal))];
  const best = starts.find((one) => one.loss < limit) ?? starts.toSorted((a, b) => a.loss - b.loss)[0];
  const losses = [best.loss];
  const gradientRms: number[] = [];
  let embedding = best.embedding;
  let next: Tensor | undefined = best.next;
  while (loss && losses[losses.length - 1] >= limit && gradientRms.length < iterations) {
    const { loss: value, gradient } = await loss.at(embedding, step, signal);
    if (next === undefined) {
      losses.push(value);
      if (value < limit) break;
    }
    gradientRms.push(rootMeanSquare(gradient));
    embedding = adam.step(embedding, gradient, learningRateAt(i, settings));
    next = undefined;
    // Sampling costs a third of a gradient, and is needed once more in any case where this iteration was the last.
    if (expectedLoss(losses) < limit || gradientRms.length === iterations) {
      ({ next } = await sampled(embedding));
      losses.push(meanSquaredError(next, wanted));
    }
  }
  return { embedding, latent: next ?? (await sampled(embedding)).next, losses, gradientRms };
}

/** Where sampling leads from each of some embeddings, whose output for the empty prompt is known: one batch. */
async function startsFrom(
  predictor: Predictor,
  embeddings: readonly Tensor[],
  { latent, timestep, fixed, coefficients, guidance, wanted }: Step,
  signal?: AbortSignal,
): Promise<Start[]> {
  if (embeddings.length === 0) return [];
  const rows = atLeastTwo(embeddings.map((context) => ({ latent, context })));
  const output = await predictor.predict(rows, timestep, { signal });
  return embeddings.map((embedding, k) => {
    const next = applyStep(coefficients, latent, guide(fixed, row(output, k), guidance));
    return { embedding, next, loss: meanSquaredError(next, wanted) };
  });
}

/** What an iteration makes of the last loss, if it does as well as the one before it; the first divides by ten. */
function expectedLoss(losses: readonly number[]): number {
  const [before, last] = [losses[losses.length - 2], losses[losses.length - 1]];
  return before === undefined ? last / 10 : last ** 2 / before;
}
