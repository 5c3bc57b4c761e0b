import { z } from "zod";
import {
  aFunction,
  aSize,
  cancelledAs,
  checkArguments,
  noise,
  type Picture,
  requireAtMost,
  type Size,
  stack,
  type Tensor,
  throwIfCancelled,
  UsageError,
  unstack,
  type Warning,
  type Work,
  whole,
  workFields,
} from "../core/index.ts";
import { settingRanges } from "../weights/index.ts";
import { atLeastTwo } from "./batch.ts";
import { aModel, type Model } from "./model.ts";
import { openPredictor, type Predictor } from "./predictor.ts";
import { promptWarnings } from "./promptWarnings.ts";
import { denoiseCoefficients, type Schedule } from "./schedule.ts";

export interface GenerateOptions {
  /** Classifier-free guidance scale. Default: the model's. */
  guidance?: number;
  /** DDIM steps. Default: the model's. */
  steps?: number;
  /** Size of the pictures. Default: the model's. */
  size?: Size;
  /** Seed of the first picture's noise; each further picture takes the next number. Default 0. */
  seed?: number;
  /** Negative prompt: names what the pictures should not show, and replaces the empty prompt in guidance. */
  negative?: string;
}

export interface Generated {
  readonly picture: Picture;
  readonly seed: number;
  /** Words of the prompt that were cut off by the text encoder's token limit. */
  readonly lostWords: readonly string[];
  /** Words of the negative prompt that were cut off. */
  readonly lostNegative: readonly string[];
  /** Warnings about the prompt and the negative prompt. */
  readonly warnings: readonly Warning[];
}

export interface GenerateWork extends Work {
  /** Called with each picture as soon as it is finished. Its promise is awaited. */
  onPicture?: (made: Generated, index: number) => Promise<void>;
}

/**
 * Returns the number of pictures in a batch: `most`, or one for a large model, for which a batch takes more memory and is no
 * faster. Stopped work loses a whole batch.
 */
export const batchOf = ({ programs }: Model, most: number): number => (programs.isLarge("unet") ? 1 : most);

const generateArguments = z.object({
  model: aModel,
  prompts: z.array(z.string()),
  options: z.strictObject({
    guidance: settingRanges.guidance.optional(),
    steps: settingRanges.steps.optional(),
    size: aSize.optional(),
    seed: whole(0, Number.MAX_SAFE_INTEGER).optional(),
    negative: z.string().optional(),
  }),
  work: z.looseObject({ ...workFields, onPicture: aFunction.optional() }),
});

/** The most pictures that one call generates. */
const MAX_PICTURES = 10_000;

/** Throws UsageError if `count` pictures are too many for one call. */
export const requirePictures = (count: number): void => requireAtMost(MAX_PICTURES, count, "pictures");

/** Throws UsageError if the last of `count` pictures would have a seed that is too large. */
function checkSeeds(seed: number, count: number): void {
  const last = Number.MAX_SAFE_INTEGER - Math.max(0, count - 1);
  if (seed > last)
    throw new UsageError("seed", { found: `${seed}`, expected: `at most ${last} for ${count} pictures` });
}

/**
 * Generates a picture for each prompt, from noise, by DDIM with classifier-free guidance (Song et al. 2021; Ho & Salimans
 * 2022). The same seed, prompt, settings and model give the same picture. Words beyond the text encoder's token limit are
 * cut off and named in `lostWords`. Throws UsageError, NumericError, MemoryError or CancelledError.
 */
export async function generate(
  model: Model,
  prompts: readonly string[],
  options: GenerateOptions = {},
  work: GenerateWork = {},
): Promise<Generated[]> {
  checkArguments("generate", generateArguments, { model, prompts, options, work });
  const { onProgress, onPicture, signal } = work;
  const { guidance = model.editing.guidance, steps = model.editing.steps, seed = 0, negative = "" } = options;
  const size = model.workingSize(options.size);
  requirePictures(prompts.length);
  checkSeeds(seed, prompts.length);
  const shape = model.latentShape(size);
  const schedule = model.schedule(steps);
  if (prompts.length === 0) return [];
  return cancelledAs("generating", signal, async () => {
    const [unconditional, ...embedded] = await model.embed([negative, ...prompts], signal);

    const made: Generated[] = [];
    const atOnce = batchOf(model, 8);
    const total = Math.ceil(prompts.length / atOnce) * steps;
    for (let from = 0; from < prompts.length; from += atOnce) {
      const contexts = embedded.slice(from, from + atOnce).map(({ tensor }) => tensor);
      const report: Work["onProgress"] = ({ done }) =>
        onProgress?.({ phase: "generate", done: (from / atOnce) * steps + done, total });
      const latents = await model.programs.during(["unet"], async () => {
        // Before the noise is computed, since this refuses what does not fit into memory.
        const predictor = await openPredictor(model, size, undefined, signal);
        const start = stack(contexts.map((_, k) => noise(shape, seed + from + k)));
        const sampling = { start, contexts, unconditional: unconditional.tensor, guidance };
        return sample(predictor, schedule, sampling, { signal, onProgress: report });
      });
      await model.programs.during(["vae"], async () => {
        for (const latent of unstack(latents)) {
          const [picture] = await model.decode(latent, signal);
          const k = made.length;
          const one = {
            picture,
            seed: seed + k,
            lostWords: embedded[k].lostWords,
            lostNegative: unconditional.lostWords,
            warnings: promptWarnings(model, [prompts[k], negative]),
          };
          made.push(one);
          await onPicture?.(one, k);
        }
      });
    }
    return made;
  });
}

export interface Sampling {
  /** Latents at the noisiest level, [B, C, h, w]. */
  readonly start: Tensor;
  /** Text embedding for each of them, [1, L, D]. */
  readonly contexts: readonly Tensor[];
  /** Text embedding of the empty or the negative prompt, [1, L, D]. */
  readonly unconditional: Tensor;
  readonly guidance: number;
}

/**
 * Samples by DDIM from the noisiest level down to clean latents, [B, C, h, w]. At guidance 1 there is no unconditional
 * prediction.
 */
export const sample = (
  predictor: Predictor,
  schedule: Schedule,
  { start, contexts, unconditional, guidance }: Sampling,
  { onProgress, signal }: Work = {},
): Promise<Tensor> =>
  predictor.arithmetic.during(async (math) => {
    const n = contexts.length;
    const total = schedule.timesteps.length;
    let latents = await math.put(unstack(start));
    const [empty, ...prompts] = await math.put([unconditional, ...contexts]);
    for (const [i, t] of schedule.timesteps.entries()) {
      throwIfCancelled(signal, "sampling");
      const conditionalRows = latents.map((latent, k) => ({ latent, context: prompts[k] }));
      const unconditionalRows = guidance === 1 ? [] : latents.map((latent) => ({ latent, context: empty }));
      const rows = atLeastTwo([...conditionalRows, ...unconditionalRows]);
      const { output } = await predictor.evaluate(math, rows, t);
      const coefficients = denoiseCoefficients(schedule, i);
      const moves = latents.map((_, k) => ({
        coefficients,
        weights: rows.map((_, r) => (r === k ? guidance : r === n + k ? 1 - guidance : 0)),
      }));
      const next = await math.advance(latents, [output], moves);
      math.release(output, ...latents);
      latents = next;
      onProgress?.({ phase: "sample", done: i + 1, total });
    }
    return stack(await math.read(latents));
  }, signal);
