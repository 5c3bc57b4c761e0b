import { lerp, meanSquaredError, rootMeanSquare, row, type Tensor } from "../core/index.ts";
import {
  applyStep,
  atLeastTwo,
  denoiseCoefficients,
  guide,
  type Predictor,
  type Schedule,
} from "../diffusion/index.ts";
import type { Optimiser } from "./optimiser.ts";
import type { ReconstructionLoss, Step } from "./reconstructionLoss.ts";

/** Shares of `start` in the mixes of `nearest` and `start` that are tried, nearest to `nearest` first. */
const MIXES = [0.25, 0.5, 0.75, 1];

/** An embedding that a step may start from, and the latent that sampling with it gives. */
interface Start {
  /** [1, L, D] */
  readonly embedding: Tensor;
  readonly next: Tensor;
  readonly loss: number;
}

/** DDIM step i with guidance. next: the latent that it gives. The others: the U-Net's two outputs. */
export async function sampleStep(
  predictor: Predictor,
  schedule: Schedule,
  i: number,
  { latent, context, empty, guidance }: { latent: Tensor; context: Tensor; empty: Tensor; guidance: number },
  signal?: AbortSignal,
): Promise<{ next: Tensor; unconditional: Tensor; conditional: Tensor }> {
  const rows = [empty, context].map((one) => ({ latent, context: one }));
  const output = await predictor.predict(rows, schedule.timesteps[i], { signal });
  const [unconditional, conditional] = [row(output, 0), row(output, 1)];
  const guided = guide(unconditional, conditional, guidance);
  return { next: applyStep(denoiseCoefficients(schedule, i), latent, guided), unconditional, conditional };
}

/** The programs that tuning runs. */
export interface TuningPrograms {
  readonly predictor: Predictor;
  /** Absent if no iterations are allowed. */
  readonly loss: ReconstructionLoss | undefined;
}

/** Result of tuning one sampling step. */
export interface TunedStep {
  /** c_i or ∅_i, [1, L, D] */
  readonly embedding: Tensor;
  /** The latent that sampling with it gives, [1, C, h, w]. */
  readonly latent: Tensor;
  /** Loss before each iteration, then the loss of the final embedding. */
  readonly losses: readonly number[];
  /** Root mean square of each iteration's gradient. Near 1e-8, Adam's ε, Adam's steps depend on the gradient's scale. */
  readonly gradientRms: readonly number[];
}

/** Input of tuning one sampling step. Latents [1, C, h, w], embeddings [1, L, D]. */
export interface TuneInput {
  /** The prediction of guidance whose embedding is tuned: target-text inversion tunes c, null-text inversion ∅. */
  readonly tunes: "conditional" | "unconditional";
  readonly latent: Tensor;
  /** The latent that the step should give. */
  readonly wanted: Tensor;
  /** The embedding to tune. */
  readonly start: Tensor;
  /** Embedding of the other prediction. */
  readonly fixed: Tensor;
  readonly guidance: number;
  readonly optimiser: Optimiser;
  readonly learningRate: number;
  /** Largest number of iterations. */
  readonly iterations: number;
  /** Tuning stops if the loss is below this limit. */
  readonly limit: number;
  /** Take one more iteration if the loss is below the limit, as null-text inversion's code does. Default false. */
  readonly lastIteration?: boolean;
  /** Start from this embedding or the mix nearest to it whose loss is below the limit, else from the best one. */
  readonly nearest?: Tensor;
  readonly signal?: AbortSignal;
}

/**
 * Tunes one of the two embeddings of sampling step i until DDIM with guidance leads from z̄_i to z*_{i+1}: c in target-text
 * inversion (BARET, eqs. 1 and 2), ∅ in null-text inversion (Mokady et al. 2023, eq. 3). Compares the loss with the limit
 * before it computes a gradient, so a step whose loss is already small costs no gradient. The other prediction is computed
 * once.
 *
 * z̄_{i+1} comes from the batched program that sampling uses, so that sampling with the tuned embedding later gives the same
 * bits.
 */
export async function tuneStep(
  { predictor, loss }: TuningPrograms,
  schedule: Schedule,
  i: number,
  input: TuneInput,
): Promise<TunedStep> {
  const { tunes, latent, wanted, start, guidance, optimiser, learningRate, iterations, limit, signal } = input;
  const { nearest, lastIteration = false } = input;
  const timestep = schedule.timesteps[i];
  const coefficients = denoiseCoefficients(schedule, i);
  const sampled = (tuned: Tensor) => {
    const [context, empty] = tunes === "conditional" ? [tuned, input.fixed] : [input.fixed, tuned];
    return sampleStep(predictor, schedule, i, { latent, context, empty, guidance }, signal);
  };

  const from = nearest ?? start;
  const first = await sampled(from);
  const asGiven = { embedding: from, next: first.next, loss: meanSquaredError(first.next, wanted) };
  // w·c + (1 − w)·u is f + w·(c − f) for the fixed prediction f = u, and f + (1 − w)·(u − f) for f = c.
  const [fixed, weight] = tunes === "conditional" ? [first.unconditional, guidance] : [first.conditional, 1 - guidance];
  const step = { latent, timestep, fixed, coefficients, guidance: weight, wanted };
  const mixes = asGiven.loss < limit || start === from ? [] : MIXES.map((share) => lerp(from, start, share));
  const starts = [asGiven, ...(await startsFrom(predictor, mixes, step, signal))];
  const best = starts.find((one) => one.loss < limit) ?? starts.toSorted((a, b) => a.loss - b.loss)[0];
  const losses = [best.loss];
  const isBelow = (): boolean => losses[losses.length - 1] < limit;
  const gradientRms: number[] = [];
  let embedding = best.embedding;
  let next: Tensor | undefined = best.next;
  while (loss && (lastIteration || !isBelow()) && gradientRms.length < iterations) {
    const { loss: value, gradient } = await loss.at(embedding, step, signal);
    if (next === undefined) losses.push(value);
    const isLast = isBelow();
    if (isLast && !lastIteration) break;
    gradientRms.push(rootMeanSquare(gradient));
    embedding = optimiser.step(embedding, gradient, learningRate);
    next = undefined;
    // Sampling costs a third of a gradient, and the last iteration needs it anyway.
    const mayEnd = lastIteration ? isLast : expectedLoss(losses) < limit;
    if (mayEnd || gradientRms.length === iterations) {
      ({ next } = await sampled(embedding));
      losses.push(meanSquaredError(next, wanted));
    }
    if (isLast) break;
  }
  return { embedding, latent: next ?? (await sampled(embedding)).next, losses, gradientRms };
}

/** Samples one step with each embedding, in one batch. The other prediction (`fixed`) is known. */
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

/** Estimates the loss after one more iteration: it shrinks as in the last iteration, or to a tenth in the first one. */
function expectedLoss(losses: readonly number[]): number {
  const [before, last] = [losses[losses.length - 2], losses[losses.length - 1]];
  return before === undefined ? last / 10 : last ** 2 / before;
}
