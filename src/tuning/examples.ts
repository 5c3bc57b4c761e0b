import { combine, Random, stack, type Tensor, tensor } from "../core/index.ts";
import { alphasCumprod } from "../diffusion/index.ts";
import type { SchedulerConfig } from "../weights/index.ts";

/** The picture of one example: the photo, or a part of it. */
export interface View {
  /** Its latent z, [1, C, h, w]. */
  readonly latent: Tensor;
  /** Its place in the photo as a grid of positions, [1, C₀, h, w], for a U-Net that is tuned with one. */
  readonly position?: Tensor;
}

/** Training examples of one step: latents of the photo with noise, and the outputs that the U-Net should have for them. */
export interface Examples {
  /** A model timestep for each example. */
  readonly timesteps: readonly number[];
  /** z_t = √ᾱ_t·z + √(1 − ᾱ_t)·n, [B, C, h, w]. */
  readonly noisy: Tensor;
  /** The noise n, or v = √ᾱ_t·n − √(1 − ᾱ_t)·z if the model predicts v, [B, C, h, w]. */
  readonly wanted: Tensor;
  /** Grids of positions, [B, C₀, h, w], if the views have them. */
  readonly positions?: Tensor;
  /**
   * Factors (t/T)²·d of the loss of the clean latent, [B, 1, 1, 1]: d is the difference of predicted and true clean latent
   * for a difference of 1 between the U-Net's output and `wanted`. Read by that loss alone.
   */
  readonly cleanFactors?: Tensor;
}

export interface ExampleSource {
  /** The pictures of the examples of the step. */
  readonly views: readonly View[];
  readonly scheduler: SchedulerConfig;
  readonly seed: number;
}

/**
 * Draws the examples of training step k ≥ 0: timesteps uniform in 0..T − 1, noise standard normal (Ho et al. 2020, algorithm
 * 1). Every step has a stream of random numbers of its own, so that a resumed run draws what an uninterrupted one draws.
 */
export function drawExamples({ views, scheduler, seed }: ExampleSource, k: number): Examples {
  // Stream 0 of a seed is the noise that sampling starts from.
  const random = new Random(seed, k + 1);
  const alphaBar = alphasCumprod(scheduler);
  const drawn = views.map(({ latent }) => {
    const timestep = random.below(scheduler.trainTimesteps);
    const noise = tensor(
      latent.shape,
      latent.data.map(() => random.normal()),
    );
    const [signal, rest] = [Math.sqrt(alphaBar[timestep]), Math.sqrt(1 - alphaBar[timestep])];
    const isNoise = scheduler.prediction === "epsilon";
    return {
      timestep,
      noisy: combine(signal, latent, rest, noise),
      wanted: isNoise ? noise : combine(signal, noise, -rest, latent),
      // ẑ − z = √(1 − ᾱ)/√ᾱ·(n − ε̂), or √(1 − ᾱ)·(v − v̂).
      cleanFactor: (timestep / scheduler.trainTimesteps) ** 2 * (isNoise ? rest / signal : rest),
    };
  });
  const positions = views.flatMap(({ position }) => position ?? []);
  return {
    timesteps: drawn.map(({ timestep }) => timestep),
    noisy: stack(drawn.map(({ noisy }) => noisy)),
    wanted: stack(drawn.map(({ wanted }) => wanted)),
    ...(positions.length > 0 && { positions: stack(positions) }),
    cleanFactors: tensor(
      [drawn.length, 1, 1, 1],
      Float32Array.from(drawn, ({ cleanFactor }) => cleanFactor),
    ),
  };
}
