import { CheckpointError, combine, shown, type Tensor, UsageError } from "../core/index.ts";
import type { BetaSchedule, Prediction, SchedulerConfig } from "../weights/index.ts";

/**
 * Noise levels of sampling. Step i calls the model at `timesteps[i]` and leads from level i to level i + 1. Level 0 is the
 * noisiest, level N the clean picture.
 */
export interface Schedule {
  /** Model timesteps, noisiest first: t_0 > t_1 > … > t_{N−1}. */
  readonly timesteps: readonly number[];
  /** ᾱ of the N + 1 levels: of timestep t_i for level i < N, and of the level below the last timestep for level N. */
  readonly alphaBar: readonly number[];
  readonly prediction: Prediction;
}

const betaRules: Record<BetaSchedule, (from: number, to: number, at: number) => number> = {
  linear: (from, to, at) => from + (to - from) * at,
  scaled_linear: (from, to, at) => (Math.sqrt(from) + (Math.sqrt(to) - Math.sqrt(from)) * at) ** 2,
  squaredcos_cap_v2: () => Number.NaN, // is defined by ᾱ, not by its first and last β
};

/** β_k for k in 0..T − 1. */
function betas({ betaSchedule, betaStart, betaEnd, trainTimesteps, trainedBetas }: SchedulerConfig): number[] {
  if (trainedBetas) return [...trainedBetas];
  if (betaSchedule === "squaredcos_cap_v2") {
    const bar = (at: number) => Math.cos(((at + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
    return Array.from({ length: trainTimesteps }, (_, k) =>
      Math.min(0.999, 1 - bar((k + 1) / trainTimesteps) / bar(k / trainTimesteps)),
    );
  }
  const rule = betaRules[betaSchedule];
  return Array.from({ length: trainTimesteps }, (_, k) =>
    rule(betaStart, betaEnd, k / Math.max(1, trainTimesteps - 1)),
  );
}

/** ᾱ_t = Π(1 − β_k), k ≤ t, in double precision. docs/method.md, "DDIM"; diffusers, schedulers/scheduling_ddim.py. */
export function alphasCumprod(config: SchedulerConfig): Float64Array {
  let product = 1;
  const alphas = Float64Array.from(betas(config), (beta) => {
    product *= 1 - beta;
    return product;
  });
  if (!config.rescaleBetasZeroSnr) return alphas;
  // Lin et al. 2024, "Common diffusion noise schedules and sample steps are flawed", algorithm 1.
  const first = Math.sqrt(alphas[0]);
  const last = Math.sqrt(alphas[alphas.length - 1]);
  return alphas.map((a) => ((Math.sqrt(a) - last) * (first / (first - last))) ** 2);
}

/** Timesteps of `steps` steps, noisiest first and all different. diffusers, schedulers/scheduling_ddim.py. */
function placeTimesteps({ trainTimesteps: T, timestepSpacing, stepsOffset }: SchedulerConfig, steps: number): number[] {
  const gap = Math.floor(T / steps);
  // An offset that would lead past T − 1 is cut to what fits: 1000 steps of Stable Diffusion are 999, 998, …, 0 though its
  // steps_offset is 1. diffusers fails there, since it asks for timestep 1000.
  const offset = Math.min(stepsOffset, T - 1 - gap * (steps - 1));
  const place = {
    leading: (i: number) => gap * (steps - 1 - i) + offset,
    trailing: (i: number) => roundHalfEven(T - (i * T) / steps) - 1,
    linspace: (i: number) => roundHalfEven(steps === 1 ? 0 : ((steps - 1 - i) * (T - 1)) / (steps - 1)),
  }[timestepSpacing];
  return Array.from({ length: steps }, (_, i) => place(i));
}

/** Rounds as NumPy does. */
function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}

/**
 * DDIM's schedule over `steps` steps, at most one for each timestep of training. If the scheduler's steps_offset would lead
 * past the last timestep, as with 1000 steps of Stable Diffusion, it is cut to what fits. Throws UsageError if the model
 * was not trained with that many timesteps. Throws CheckpointError if a noise level is not in 0..1, or if the schedule
 * starts without any signal and the model predicts ε, which says nothing there.
 */
export function makeSchedule(config: SchedulerConfig, steps: number): Schedule {
  if (!(Number.isInteger(steps) && steps >= 1 && steps <= config.trainTimesteps)) {
    throw new UsageError("not a number of steps", {
      where: "steps",
      found: shown(steps),
      expected: `1..${config.trainTimesteps}`,
    });
  }
  const alphas = alphasCumprod(config);
  const timesteps = placeTimesteps(config, steps);
  const below = timesteps[steps - 1] - Math.floor(config.trainTimesteps / steps);
  const end = below >= 0 ? alphas[below] : config.setAlphaToOne ? 1 : alphas[0];
  const alphaBar = [...timesteps.map((t) => alphas[t]), end];
  const meaningless = alphaBar.findIndex((level) => !(level >= 0 && level <= 1));
  if (meaningless >= 0) {
    throw new CheckpointError("a noise level of this schedule is out of range", {
      where: "scheduler/scheduler_config.json",
      found: `ᾱ ${alphaBar[meaningless]} at step ${meaningless}`,
      expected: "0..1",
    });
  }
  if (alphaBar[0] < 1e-12 && config.prediction === "epsilon") {
    throw new CheckpointError(
      "this schedule starts without any signal, which a model that predicts epsilon cannot recover",
      {
        where: "scheduler/scheduler_config.json",
        found: `ᾱ ${alphaBar[0]} at timestep ${timesteps[0]}`,
      },
    );
  }
  return { timesteps, alphaBar, prediction: config.prediction };
}

/** A DDIM step as a linear function of the latent and the model's output: z' = sample·z + output·f(z, t). */
export interface StepCoefficients {
  readonly sample: number;
  readonly output: number;
}

/**
 * Coefficients of the step between two noise levels, in either direction (η = 0).
 * Song et al. 2021, eq. 12: x̂₀ = (z − √(1−ᾱ)·ε)/√ᾱ, z' = √ᾱ'·x̂₀ + √(1−ᾱ')·ε; for v-prediction ε = √ᾱ·v + √(1−ᾱ)·z.
 */
export function stepCoefficients(from: number, to: number, prediction: Prediction): StepCoefficients {
  if (prediction === "epsilon") {
    return { sample: Math.sqrt(to / from), output: Math.sqrt(1 - to) - Math.sqrt((to * (1 - from)) / from) };
  }
  return {
    sample: Math.sqrt(to * from) + Math.sqrt((1 - to) * (1 - from)),
    output: Math.sqrt((1 - to) * from) - Math.sqrt(to * (1 - from)),
  };
}

/** Coefficients of sampling step i: from level i down to level i + 1. */
export const denoiseCoefficients = ({ alphaBar, prediction }: Schedule, i: number): StepCoefficients =>
  stepCoefficients(alphaBar[i], alphaBar[i + 1], prediction);

/** Coefficients of the inversion of step i: from level i + 1 up to level i, the model asked at timestep t_i. */
export const invertCoefficients = ({ alphaBar, prediction }: Schedule, i: number): StepCoefficients =>
  stepCoefficients(alphaBar[i + 1], alphaBar[i], prediction);

/** z' = sample·z + output·f. z and f: [B, 4, h, w]. */
export const applyStep = ({ sample, output }: StepCoefficients, z: Tensor, f: Tensor): Tensor =>
  combine(sample, z, output, f);

/** Classifier-free guidance: u + w·(c − u). Ho & Salimans 2022, eq. 6 with w = 1 + their w. */
export const guide = (unconditional: Tensor, conditional: Tensor, w: number): Tensor =>
  combine(1 - w, unconditional, w, conditional);
