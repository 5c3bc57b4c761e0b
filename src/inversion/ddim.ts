import { type Progress, row, type Tensor, throwIfCancelled } from "../core/index.ts";
import { type Arithmetic, invertCoefficients, type Predictor, type Schedule, type Value } from "../diffusion/index.ts";

/** Prompt embeddings and guidance of DDIM inversion. */
export interface InversionPrompt {
  /** [1, L, D] */
  readonly context: Tensor;
  /** Embedding of the empty prompt. Used only if the guidance scale is not 1. */
  readonly empty: Tensor;
  readonly guidance: number;
}

/** The embeddings of the predictions of one step, and their weights. */
interface InversionTerms {
  readonly contexts: readonly Value[];
  readonly weights: readonly number[];
}

const termsOf = async (math: Arithmetic, { context, empty, guidance }: InversionPrompt): Promise<InversionTerms> =>
  guidance === 1
    ? { contexts: await math.put([context]), weights: [1] }
    : { contexts: await math.put([empty, context]), weights: [1 - guidance, guidance] };

/** See `invertStep`. */
async function invertedStep(
  math: Arithmetic,
  predictor: Predictor,
  schedule: Schedule,
  i: number,
  latent: Value,
  { contexts, weights }: InversionTerms,
): Promise<Value> {
  const rows = contexts.map((context) => ({ latent, context }));
  const { output } = await predictor.evaluate(math, rows, schedule.timesteps[i]);
  const coefficients = invertCoefficients(schedule, i);
  const [next] = await math.advance([latent], [output], [{ coefficients, weights }]);
  math.release(output);
  return next;
}

/**
 * One step of DDIM inversion: the latent at level i + 1 → the noisier latent at level i. The noise is predicted at the
 * noisier level's timestep, as in null-text inversion's code (docs/method.md).
 */
export const invertStep = (
  predictor: Predictor,
  schedule: Schedule,
  i: number,
  latent: Tensor,
  prompt: InversionPrompt,
  signal?: AbortSignal,
): Promise<Tensor> =>
  predictor.arithmetic.during(async (math) => {
    const [z] = await math.put([latent]);
    const next = await invertedStep(math, predictor, schedule, i, z, await termsOf(math, prompt));
    return (await math.read([next]))[0];
  }, signal);

/** Progress and cancellation of DDIM inversion. */
export interface InversionWork {
  /** Number of steps that are already in the trajectory. Default 0. */
  readonly from?: number;
  /** Called and awaited after every step, when the trajectory has its latent. Absent: the trajectory is filled at the end. */
  readonly stepDone?: (progress: Progress) => Promise<void>;
  readonly signal?: AbortSignal;
}

/**
 * DDIM inversion of a clean latent: fills `trajectory` z* [N + 1, C, h, w], noisiest first, from its last entry on. Throws
 * CancelledError, NumericError.
 */
export const ddimInversion = (
  predictor: Predictor,
  schedule: Schedule,
  trajectory: Tensor,
  prompt: InversionPrompt,
  { from = 0, stepDone, signal }: InversionWork = {},
): Promise<void> =>
  predictor.arithmetic.during(async (math) => {
    const total = schedule.timesteps.length;
    const terms = await termsOf(math, prompt);
    let [z] = await math.put([row(trajectory, total - from)]);
    /** Latents that are not in the trajectory yet, by their level. */
    let waiting = new Map<number, Value>();
    const fill = async (): Promise<void> => {
      const latents = await math.read([...waiting.values()]);
      for (const [k, i] of [...waiting.keys()].entries()) row(trajectory, i).data.set(latents[k].data);
      math.release(...[...waiting.values()].filter((latent) => latent !== z));
      waiting = new Map();
    };
    for (let done = from; done < total; done++) {
      throwIfCancelled(signal, "DDIM inversion");
      const i = total - 1 - done;
      const next = await invertedStep(math, predictor, schedule, i, z, terms);
      if (!waiting.has(i + 1)) math.release(z);
      z = next;
      waiting.set(i, z);
      if (!stepDone) continue;
      await fill();
      await stepDone({ phase: "invert", done: done + 1, total });
    }
    await fill();
  }, signal);

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
