import {
  noise,
  type Picture,
  rows,
  stack,
  type Tensor,
  throwIfCancelled,
  UsageError,
  unstack,
  type Work,
} from "../core/index.ts";
import type { Model, Size } from "./model.ts";
import { openPredictor, type Predictor } from "./predictor.ts";
import { applyStep, denoiseCoefficients, guide, type Schedule } from "./schedule.ts";

export interface GenerateOptions {
  /** Classifier-free guidance scale. Default: the model's. */
  guidance?: number;
  /** DDIM steps. Default: the model's. */
  steps?: number;
  /** Default: the model's, square. */
  size?: Size;
  /** Of the first picture's noise; each further picture takes the next number. Default 0. */
  seed?: number;
  /** What the picture should not show: stands in for the empty sentence. */
  negative?: string;
}

export interface Generated {
  readonly picture: Picture;
  readonly seed: number;
  /** Words of the sentence that found no room. */
  readonly lostWords: readonly string[];
}

/** Pictures computed at once: more take more memory and are no faster. */
const batch = 8;

/**
 * Pictures of sentences, from noise by DDIM with guidance (Song et al. 2021; Ho & Salimans 2022). One seed, sentence and
 * model give one picture. Throws UsageError, NumericError, CancelledError.
 */
export async function generate(
  model: Model,
  sentences: readonly string[],
  options: GenerateOptions = {},
  { onProgress, signal }: Work = {},
): Promise<Generated[]> {
  const { guidance = model.editing.guidance, steps = model.editing.steps, seed = 0, negative = "" } = options;
  const size = options.size ?? { height: model.editing.size, width: model.editing.size };
  if (!(Number.isSafeInteger(seed) && seed >= 0)) {
    throw new UsageError("--seed", { found: `${seed}`, expected: "a whole number from 0 on" });
  }
  const shape = model.latentShape(size);
  const schedule = model.schedule(steps);
  const [empty, ...said] = await model.embed([negative, ...sentences], signal);
  await model.programs.finished("text");
  const predictor = await openPredictor(model, size, undefined, signal);

  const latents: Tensor[] = [];
  const total = Math.ceil(sentences.length / batch) * steps;
  for (let from = 0; from < sentences.length; from += batch) {
    const contexts = said.slice(from, from + batch).map(({ tensor }) => tensor);
    const start = stack(contexts.map((_, k) => noise(shape, seed + from + k)));
    const report: Work["onProgress"] = ({ done }) =>
      onProgress?.({ phase: "generate", done: (from / batch) * steps + done, total });
    latents.push(
      await sample(
        predictor,
        schedule,
        { start, contexts, empty: empty.tensor, guidance },
        { signal, onProgress: report },
      ),
    );
  }
  await model.programs.finished("unet");
  const pictures = await model.decode(stack(latents), signal);
  await model.programs.finished("vae");
  return pictures.map((picture, k) => ({ picture, seed: seed + k, lostWords: said[k].lostWords }));
}

export interface Sampling {
  /** Latents at the noisiest level, [B, C, h, w]. */
  readonly start: Tensor;
  /** One sentence's embedding for each, [1, L, D]. */
  readonly contexts: readonly Tensor[];
  /** Embedding of the empty sentence. */
  readonly empty: Tensor;
  readonly guidance: number;
}

/** DDIM from the noisiest level to the clean latents, [B, C, h, w]. */
export async function sample(
  predictor: Predictor,
  schedule: Schedule,
  { start, contexts, empty, guidance }: Sampling,
  { onProgress, signal }: Work = {},
): Promise<Tensor> {
  const n = contexts.length;
  const total = schedule.timesteps.length;
  let z = start;
  for (const [i, t] of schedule.timesteps.entries()) {
    throwIfCancelled(signal, "sampling");
    const each = unstack(z);
    const unconditional = each.map((latent) => ({ latent, context: empty }));
    const conditional = each.map((latent, k) => ({ latent, context: contexts[k] }));
    const output = await predictor.predict([...unconditional, ...conditional], t, { signal });
    z = applyStep(denoiseCoefficients(schedule, i), z, guide(rows(output, 0, n), rows(output, n, 2 * n), guidance));
    onProgress?.({ phase: "sample", done: i + 1, total });
  }
  return z;
}
