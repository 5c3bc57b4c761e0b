import { combine, Random, stack, type Tensor, tensor } from "../core/index.ts";
import { alphasCumprod } from "../diffusion/index.ts";
import type { SchedulerConfig } from "../weights/index.ts";

/** Training examples of one step: the photo's latent with noise, and the outputs that the U-Net should have for it. */
export interface Examples {
  /** A model timestep for each example. */
  readonly timesteps: readonly number[];
  /** z_t = √ᾱ_t·z + √(1 − ᾱ_t)·n, [B, C, h, w]. */
  readonly noisy: Tensor;
  /** The noise n, or v = √ᾱ_t·n − √(1 − ᾱ_t)·z if the model predicts v, [B, C, h, w]. */
  readonly wanted: Tensor;
}

export interface ExampleSource {
  /** The photo's latent z, [1, C, h, w]. */
  readonly latent: Tensor;
  readonly scheduler: SchedulerConfig;
  /** Examples in a step. */
  readonly batch: number;
  readonly seed: number;
}

/**
 * Draws the examples of training step k ≥ 0: timesteps uniform in 0..T − 1, noise standard normal (Ho et al. 2020, algorithm
 * 1). Every step has a stream of random numbers of its own, so that a resumed run draws what an uninterrupted one draws.
 */
export function drawExamples({ latent, scheduler, batch, seed }: ExampleSource, k: number): Examples {
  // Stream 0 of a seed is the noise that sampling starts from.
  const random = new Random(seed, k + 1);
  const alphaBar = alphasCumprod(scheduler);
  const drawn = Array.from({ length: batch }, () => {
    const timestep = random.below(scheduler.trainTimesteps);
    const noise = tensor(
      latent.shape,
      latent.data.map(() => random.normal()),
    );
    const [signal, rest] = [Math.sqrt(alphaBar[timestep]), Math.sqrt(1 - alphaBar[timestep])];
    return {
      timestep,
      noisy: combine(signal, latent, rest, noise),
      wanted: scheduler.prediction === "epsilon" ? noise : combine(signal, noise, -rest, latent),
    };
  });
  return {
    timesteps: drawn.map(({ timestep }) => timestep),
    noisy: stack(drawn.map(({ noisy }) => noisy)),
    wanted: stack(drawn.map(({ wanted }) => wanted)),
  };
}
