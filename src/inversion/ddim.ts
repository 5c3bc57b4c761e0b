import { type Progress, row, type Tensor, throwIfCancelled } from "../core/index.ts";
import { applyStep, guide, invertCoefficients, type Predictor, type Schedule } from "../diffusion/index.ts";

/** Prompt embeddings and guidance of DDIM inversion. */
export interface InversionPrompt {
  /** [1, L, D] */
  readonly context: Tensor;
  /** Embedding of the empty prompt. Used only if the guidance scale is not 1. */
  readonly empty: Tensor;
  readonly guidance: number;
}

/**
 * One step of DDIM inversion: the latent at level i + 1 → the noisier latent at level i. The noise is predicted at the
 * noisier level's timestep, as in null-text inversion's code (docs/method.md).
 */
export async function invertStep(
  predictor: Predictor,
  schedule: Schedule,
  i: number,
  z: Tensor,
  { context, empty, guidance }: InversionPrompt,
  signal?: AbortSignal,
): Promise<Tensor> {
  const t = schedule.timesteps[i];
  const conditional = { latent: z, context };
  if (guidance === 1) {
    return applyStep(invertCoefficients(schedule, i), z, await predictor.predict([conditional], t, { signal }));
  }
  const output = await predictor.predict([{ latent: z, context: empty }, conditional], t, { signal });
  return applyStep(invertCoefficients(schedule, i), z, guide(row(output, 0), row(output, 1), guidance));
}

/** Progress and cancellation of DDIM inversion. */
export interface InversionWork {
  /** Number of steps that are already in the trajectory. Default 0. */
  readonly from?: number;
  /** Called and awaited after every step. */
  readonly stepDone?: (progress: Progress) => Promise<void>;
  readonly signal?: AbortSignal;
}

/**
 * DDIM inversion of a clean latent: fills `trajectory` z* [N + 1, C, h, w], noisiest first, from its last entry on. Throws
 * CancelledError, NumericError.
 */
export async function ddimInversion(
  predictor: Predictor,
  schedule: Schedule,
  trajectory: Tensor,
  prompt: InversionPrompt,
  { from = 0, stepDone, signal }: InversionWork = {},
): Promise<void> {
  const total = schedule.timesteps.length;
  for (let done = from; done < total; done++) {
    throwIfCancelled(signal, "DDIM inversion");
    const i = total - 1 - done;
    const z = await invertStep(predictor, schedule, i, row(trajectory, i + 1), prompt, signal);
    row(trajectory, i).data.set(z.data);
    await stepDone?.({ phase: "invert", done: done + 1, total });
  }
}

/** Everything that the trajectory of DDIM inversion depends on. */
export interface InversionInput {
  /** Model, engine and versions, as text by name. */
  readonly origin: Readonly<Record<string, string>>;
  /** Timesteps t_i, noisiest first. */
  readonly timesteps: readonly number[];
  /** Latent of the photo, [1, C, h, w]. */
  readonly photo: Tensor;
  readonly prompt: InversionPrompt;
}

/** Keeps whole trajectories z* [N + 1, C, h, w], so that methods that invert a photo alike invert it once. */
export interface Trajectories {
  /** Returns a copy of the kept trajectory, or undefined. */
  find(input: InversionInput): Promise<Tensor | undefined>;
  keep(input: InversionInput, trajectory: Tensor): Promise<void>;
}
