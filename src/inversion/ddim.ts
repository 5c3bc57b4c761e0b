import { row, type Tensor, throwIfCancelled, type Work } from "../core/index.ts";
import { applyStep, guide, invertCoefficients, type Predictor, type Schedule } from "../diffusion/index.ts";

/** What DDIM inversion listens to. */
export interface InversionPrompt {
  /** [1, L, D] */
  readonly context: Tensor;
  /** Embedding of the empty sentence, for guidance other than 1. */
  readonly empty: Tensor;
  readonly guidance: number;
}

/**
 * One step of DDIM inversion: the latent at level i + 1 → that at level i. The model is asked at the noisier level's
 * timestep (METHODS §1; null-text inversion's code).
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

/**
 * DDIM inversion of a clean latent: fills `trajectory` z* [N + 1, C, h, w], noisiest first, whose last entry it starts
 * from. from: how many steps are there already.
 */
export async function ddimInversion(
  predictor: Predictor,
  schedule: Schedule,
  trajectory: Tensor,
  prompt: InversionPrompt,
  { from = 0, onStep, onProgress, signal }: Work & { from?: number; onStep?: (done: number) => Promise<void> } = {},
): Promise<void> {
  const total = schedule.timesteps.length;
  for (let done = from; done < total; done++) {
    throwIfCancelled(signal, "the inversion");
    const i = total - 1 - done;
    const z = await invertStep(predictor, schedule, i, row(trajectory, i + 1), prompt, signal);
    row(trajectory, i).data.set(z.data);
    await onStep?.(done + 1);
    onProgress?.({ phase: "invert", done: done + 1, total });
  }
}
