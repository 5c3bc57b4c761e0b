import { combine, noise, type Picture, row, type Tensor } from "../../core/index.ts";
import { type Model, openPredictor, type Schedule, type Size } from "../../diffusion/index.ts";
import type { Embeddings } from "../method.ts";

/** A finished edit, as a scorer ranks it. */
export interface Candidate {
  readonly picture: Picture;
  /** [1, C, h, w] */
  readonly latent: Tensor;
}

/** Tells how well pictures show the target prompt. */
export interface Scorer {
  /** For records: "CLIP (menagerie-judge)". */
  readonly name: string;
  /** Returns a score for each candidate: the higher, the better it shows the target prompt. */
  score(candidates: readonly Candidate[], signal?: AbortSignal): Promise<readonly number[]>;
}

/** Sampling steps of 50, from the noisiest, at which the noise is predicted, and the number of noises at each. */
const probes = { steps: [5, 12, 20, 28, 36, 44], of: 50, noises: 2 };

/**
 * Returns a scorer that needs no other model: how much better the U-Net predicts noise that was added to the edit if it reads the
 * target prompt instead of "", as a share of the error. The idea is that of diffusion classifiers (Li et al. 2023); the same
 * noises serve all candidates.
 */
export function noiseScorer(
  model: Model,
  size: Size,
  schedule: Schedule,
  { target, empty }: Pick<Embeddings, "target" | "empty">,
): Scorer {
  const N = schedule.timesteps.length;
  const steps = [...new Set(probes.steps.map((step) => Math.floor((step * N) / probes.of)))];
  return {
    name: "noise prediction",
    score: async (candidates, signal) => {
      const predictor = await openPredictor(model, size, undefined, signal);
      const sums = candidates.map(() => 0);
      for (const i of steps) {
        for (let seed = 0; seed < probes.noises; seed++) {
          const added = noise(candidates[0].latent.shape, probes.noises * i + seed);
          for (const [k, { latent }] of candidates.entries()) {
            const noisy = combine(Math.sqrt(schedule.alphaBar[i]), latent, Math.sqrt(1 - schedule.alphaBar[i]), added);
            const wanted = wantedOutput(schedule, i, latent, added);
            const rows = [target, empty].map((context) => ({ latent: noisy, context }));
            const output = await predictor.predict(rows, schedule.timesteps[i], { signal });
            const [withTarget, without] = rows.map((_, r) => squaredError(row(output, r), wanted));
            sums[k] += (without - withTarget) / without;
          }
        }
      }
      return sums.map((sum) => sum / (steps.length * probes.noises));
    },
  };
}

/** Returns the output of a perfect model: the noise, or v = √ᾱ·noise − √(1−ᾱ)·latent. */
const wantedOutput = ({ alphaBar, prediction }: Schedule, i: number, latent: Tensor, added: Tensor): Tensor =>
  prediction === "epsilon" ? added : combine(Math.sqrt(alphaBar[i]), added, -Math.sqrt(1 - alphaBar[i]), latent);

const squaredError = (a: Tensor, b: Tensor): number =>
  a.data.reduce((sum, value, k) => sum + (value - b.data[k]) ** 2, 0);
