import type { Tensor } from "../core/index.ts";
import {
  type Arithmetic,
  atLeastTwo,
  denoiseCoefficients,
  type Predictor,
  type Schedule,
  type Value,
} from "../diffusion/index.ts";
import type { Optimiser } from "./optimiser.ts";
import type { ReconstructionLoss, StepValues } from "./reconstructionLoss.ts";

/** Shares of `start` in the mixes of `nearest` and `start` that are tried, nearest to `nearest` first. */
const MIXES = [0.25, 0.5, 0.75, 1];

/** An embedding that a step may start from, and the latent that sampling with it gives. */
interface Start {
  /** [1, L, D] */
  readonly embedding: Value;
  readonly next: Value;
  readonly loss: number;
}

/** A sampling step with guidance. Latent [1, C, h, w], embeddings [1, L, D]. */
interface GuidedStep {
  readonly latent: Value;
  readonly context: Value;
  readonly empty: Value;
  readonly guidance: number;
}

/** DDIM step i with guidance. next: the latent that it gives. output: the U-Net's outputs for `empty` and `context`. */
async function guidedStep(
  math: Arithmetic,
  predictor: Predictor,
  schedule: Schedule,
  i: number,
  { latent, context, empty, guidance }: GuidedStep,
): Promise<{ next: Value; output: Value }> {
  const rows = [empty, context].map((one) => ({ latent, context: one }));
  const { output } = await predictor.evaluate(math, rows, schedule.timesteps[i]);
  const move = { coefficients: denoiseCoefficients(schedule, i), weights: [1 - guidance, guidance] };
  const [next] = await math.advance([latent], [output], [move]);
  return { next, output };
}

/** Returns the latent that DDIM step i with guidance gives. */
export const sampleStep = (
  predictor: Predictor,
  schedule: Schedule,
  i: number,
  { latent, context, empty, guidance }: GuidedStep & Record<"latent" | "context" | "empty", Tensor>,
  signal?: AbortSignal,
): Promise<Tensor> =>
  predictor.arithmetic.during(async (math) => {
    const [z, c, u] = await math.put([latent, context, empty]);
    const { next } = await guidedStep(math, predictor, schedule, i, { latent: z, context: c, empty: u, guidance });
    return (await math.read([next]))[0];
  }, signal);

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
 *
 * On a device that is not the CPU, embedding, gradient and Adam's moments stay there: an iteration returns its loss and the root
 * mean square of its gradient.
 */
export const tuneStep = (
  { predictor, loss }: TuningPrograms,
  schedule: Schedule,
  i: number,
  input: TuneInput,
): Promise<TunedStep> =>
  predictor.arithmetic.during(async (math) => {
    const { tunes, guidance, optimiser, learningRate, iterations, limit, lastIteration = false } = input;
    const [latent, wanted, other, start] = await math.put([input.latent, input.wanted, input.fixed, input.start]);
    const isNearest = input.nearest !== undefined && input.nearest !== input.start;
    const from = isNearest ? (await math.put([input.nearest]))[0] : start;
    const timestep = schedule.timesteps[i];
    const coefficients = denoiseCoefficients(schedule, i);
    const sampled = async (tuned: Value): Promise<Value> => {
      const { next, output } = await guidedStep(math, predictor, schedule, i, rowsWith(tuned));
      math.release(output);
      return next;
    };
    const rowsWith = (tuned: Value): GuidedStep => {
      const [context, empty] = tunes === "conditional" ? [tuned, other] : [other, tuned];
      return { latent, context, empty, guidance };
    };

    const first = await guidedStep(math, predictor, schedule, i, rowsWith(from));
    const asGiven = { embedding: from, next: first.next, loss: await math.meanSquaredError(first.next, wanted) };
    // w·c + (1 − w)·u is f + w·(c − f) for the fixed prediction f = u, and f + (1 − w)·(u − f) for f = c.
    const [unconditional, conditional] = await math.unstack(first.output);
    const [fixed, weight] = tunes === "conditional" ? [unconditional, guidance] : [conditional, 1 - guidance];
    const step = { latent, timestep, fixed, coefficients, guidance: weight, wanted };
    const shares = asGiven.loss < limit || from === start ? [] : MIXES;
    const mixes: Value[] = [];
    for (const share of shares) mixes.push(await math.combine(1 - share, from, share, start));
    const starts = [asGiven, ...(await startsFrom(math, predictor, mixes, step))];
    const best = starts.find((one) => one.loss < limit) ?? starts.toSorted((a, b) => a.loss - b.loss)[0];
    const losses = [best.loss];
    const isBelow = (): boolean => losses[losses.length - 1] < limit;
    const gradientRms: number[] = [];
    let embedding = best.embedding;
    let next: Value | undefined = best.next;
    const descent = await optimiser.begin(math);
    while (loss && (lastIteration || !isBelow()) && gradientRms.length < iterations) {
      const { loss: value, gradient } = await loss.evaluate(math, embedding, step);
      if (next === undefined) losses.push(value);
      const isLast = isBelow();
      if (isLast && !lastIteration) break;
      gradientRms.push(await math.rootMeanSquare(gradient));
      const before = embedding;
      embedding = await descent.step(embedding, gradient, learningRate);
      math.release(gradient, before);
      next = undefined;
      // Sampling costs a third of a gradient, and the last iteration needs it anyway.
      const mayEnd = lastIteration ? isLast : expectedLoss(losses) < limit;
      if (mayEnd || gradientRms.length === iterations) {
        next = await sampled(embedding);
        losses.push(await math.meanSquaredError(next, wanted));
      }
      if (isLast) break;
    }
    await descent.end();
    const [tuned, reached] = await math.read([embedding, next ?? (await sampled(embedding))]);
    return { embedding: tuned, latent: reached, losses, gradientRms };
  }, input.signal);

/** Samples one step with each embedding, in one batch. The other prediction (`fixed`) is known. */
async function startsFrom(
  math: Arithmetic,
  predictor: Predictor,
  embeddings: readonly Value[],
  { latent, timestep, fixed, coefficients, guidance, wanted }: StepValues,
): Promise<Start[]> {
  if (embeddings.length === 0) return [];
  const rows = atLeastTwo(embeddings.map((context) => ({ latent, context })));
  const { output } = await predictor.evaluate(math, rows, timestep);
  const starts: Start[] = [];
  for (const [k, embedding] of embeddings.entries()) {
    const weights = [1 - guidance, ...rows.map((_, r) => (r === k ? guidance : 0))];
    const [next] = await math.advance([latent], [fixed, output], [{ coefficients, weights }]);
    starts.push({ embedding, next, loss: await math.meanSquaredError(next, wanted) });
  }
  return starts;
}

/** Estimates the loss after one more iteration: it shrinks as in the last iteration, or to a tenth in the first one. */
function expectedLoss(losses: readonly number[]): number {
  const [before, last] = [losses[losses.length - 2], losses[losses.length - 1]];
  return before === undefined ? last / 10 : last ** 2 / before;
}
