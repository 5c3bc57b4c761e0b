import { z } from "zod";
import {
  aFunction,
  aSize,
  checkArguments,
  noise,
  type Picture,
  requireAtMost,
  rows,
  type Size,
  stack,
  type Tensor,
  throwIfCancelled,
  UsageError,
  unstack,
  type Work,
  whole,
  workFields,
} from "../core/index.ts";
import { settingRanges } from "../weights/index.ts";
import { atLeastTwo } from "./batch.ts";
import { aModel, type Model } from "./model.ts";
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
  /** Words that found no room of what the picture should not show. */
  readonly lostNegative: readonly string[];
}

export interface GenerateWork extends Work {
  /** Called with each picture as soon as it is finished; it is waited for. */
  onPicture?: (made: Generated, index: number) => Promise<void>;
}

/**
 * Pictures to compute together, and so to lose together when the work is stopped: `most`, but one of a large model, for
 * which a batch takes more memory and is no faster.
 */
export const batchOf = ({ programs }: Model, most: number): number => (programs.isLarge("unet") ? 1 : most);

const generateArguments = z.object({
  model: aModel,
  sentences: z.array(z.string()),
  options: z.strictObject({
    guidance: settingRanges.guidance.optional(),
    steps: settingRanges.steps.optional(),
    size: aSize.optional(),
    seed: whole(0, Number.MAX_SAFE_INTEGER).optional(),
    negative: z.string().optional(),
  }),
  work: z.looseObject({ ...workFields, onPicture: aFunction.optional() }),
});

/** Most pictures that one call generates. */
const MAX_PICTURES = 10_000;

/** Throws UsageError if `count` pictures are too many for one call. */
export const requirePictures = (count: number): void => requireAtMost(MAX_PICTURES, count, "pictures");

/** Throws UsageError if one of `count` pictures would have a seed beyond the last. */
function checkSeeds(seed: number, count: number): void {
  const last = Number.MAX_SAFE_INTEGER - Math.max(0, count - 1);
  if (seed > last)
    throw new UsageError("seed", { found: `${seed}`, expected: `at most ${last} for ${count} pictures` });
}

/**
 * Pictures of sentences, from noise by DDIM with guidance (Song et al. 2021; Ho & Salimans 2022). One seed, sentence and
 * model give one picture. What a sentence has beyond the text encoder's tokens is cut off and named in `lostWords`; more
 * than 100,000 characters are a UsageError. Throws UsageError, NumericError, MemoryError, CancelledError.
 */
export async function generate(
  model: Model,
  sentences: readonly string[],
  options: GenerateOptions = {},
  work: GenerateWork = {},
): Promise<Generated[]> {
  checkArguments("generate", generateArguments, { model, sentences, options, work });
  const { onProgress, onPicture, signal } = work;
  const { guidance = model.editing.guidance, steps = model.editing.steps, seed = 0, negative = "" } = options;
  const size = model.workingSize(options.size);
  requirePictures(sentences.length);
  checkSeeds(seed, sentences.length);
  const shape = model.latentShape(size);
  const schedule = model.schedule(steps);
  if (sentences.length === 0) return [];
  const [empty, ...said] = await model.embed([negative, ...sentences], signal);
  await model.programs.finished("text");

  const made: Generated[] = [];
  const atOnce = batchOf(model, 8);
  const total = Math.ceil(sentences.length / atOnce) * steps;
  for (let from = 0; from < sentences.length; from += atOnce) {
    const contexts = said.slice(from, from + atOnce).map(({ tensor }) => tensor);
    const report: Work["onProgress"] = ({ done }) =>
      onProgress?.({ phase: "generate", done: (from / atOnce) * steps + done, total });
    // Opened before the noise is computed: what does not fit into memory is refused here.
    const predictor = await openPredictor(model, size, undefined, signal);
    const start = stack(contexts.map((_, k) => noise(shape, seed + from + k)));
    const sampling = { start, contexts, empty: empty.tensor, guidance };
    const latents = await sample(predictor, schedule, sampling, { signal, onProgress: report });
    await model.programs.finished("unet");
    for (const latent of unstack(latents)) {
      const [picture] = await model.decode(latent, signal);
      const k = made.length;
      const one = { picture, seed: seed + k, lostWords: said[k].lostWords, lostNegative: empty.lostWords };
      made.push(one);
      await onPicture?.(one, k);
    }
    await model.programs.finished("vae");
  }
  return made;
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

/** DDIM from the noisiest level to the clean latents, [B, C, h, w]. At guidance 1 the empty sentence is not asked for. */
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
    const conditional = each.map((latent, k) => ({ latent, context: contexts[k] }));
    const unconditional = guidance === 1 ? [] : each.map((latent) => ({ latent, context: empty }));
    const output = await predictor.predict(atLeastTwo([...conditional, ...unconditional]), t, { signal });
    const own = rows(output, 0, n);
    const guided = guidance === 1 ? own : guide(rows(output, n, 2 * n), own, guidance);
    z = applyStep(denoiseCoefficients(schedule, i), z, guided);
    onProgress?.({ phase: "sample", done: i + 1, total });
  }
  return z;
}
