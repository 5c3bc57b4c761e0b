import { z } from "zod";
import { between, oneOf, option, whole } from "../core/index.ts";
import { settingRanges } from "../weights/index.ts";

// Options that several methods share.

export const steps = option(settingRanges.steps, {
  about: "DDIM steps N",
  value: "<n>",
  unset: "the model's",
  usual: true,
});

/** Named settings of methods that do not tune: no measurable loss against 50 steps on tuning pairs (docs/benchmarks.md). */
export const fewerSteps = { fast: { steps: 30 } };

export const guidance = option(settingRanges.guidance, {
  about: "classifier-free guidance scale",
  value: "<scale>",
  unset: "the model's",
  usual: true,
});

/** Options of DDIM inversion (src/inversion/ddim.ts). */
export const ddimInversionOptions = {
  inversionPrompt: option(z.string(), {
    about: "prompt of DDIM inversion",
    value: "<prompt>",
    unset: "the target prompt",
  }).optional(),
  inversionGuidance: option(settingRanges.guidance.default(1), {
    about: "guidance scale of DDIM inversion",
    value: "<scale>",
  }),
};

const pairOf = (one: z.ZodNumber, expected: string) => z.tuple([one, one], { error: `expected ${expected}` });

/** Defaults of a method's tuning options. */
interface TuningDefaults {
  readonly learningRate: number;
  /** Share of the learning rate that is left at the last step. */
  readonly learningRateEnd: number;
  readonly iterations: number;
  readonly threshold: readonly [first: number, growth: number];
}

/** Options of tuning an embedding at each step (tuneEachStep.ts). */
export const tuningOptions = (defaults: TuningDefaults) => ({
  learningRate: option(between(1e-8, 1).default(defaults.learningRate), {
    about: "Adam's learning rate for the embedding",
    value: "<rate>",
  }),
  learningRateEnd: option(between(0, 1).default(defaults.learningRateEnd), {
    about: "learning rate at the last step, as a share of the first; linear between them",
    value: "<share>",
  }),
  iterations: option(whole(0, 1000).default(defaults.iterations), {
    about: "largest number of Adam's iterations at each step",
    value: "<n>",
  }),
  earlyStop: option(z.boolean().default(true), {
    about: "end a step as soon as its loss is below the threshold",
    off: "use all iterations, however small the loss is",
  }),
  threshold: option(
    pairOf(between(0, 1000), "two numbers from 0 to 1000, FIRST:GROWTH").default([...defaults.threshold]),
    {
      about: "loss below which step i of N ends: first + growth·i·50/N",
      value: "<first:growth>",
    },
  ),
});

/** Values of the tuning options, steps and guidance. */
export type TuningSettings = z.output<z.ZodObject<ReturnType<typeof tuningOptions>>> & {
  readonly steps: number;
  readonly guidance: number;
};

/** A range of the steps, as shares of N: from the first share up to the second. */
export type Window = readonly [from: number, to: number];

const isOrdered = ([from, to]: readonly [number, number]): boolean => from <= to;

/** A share s of the steps, as the range [0, s], or a range. */
export const window = z
  .union(
    [between(0, 1), z.tuple([between(0, 1), between(0, 1)]).refine(isOrdered, "expected the start before the end")],
    {
      error: "expected a share of the steps in 0..1, or FROM:TO",
    },
  )
  .transform((value): [number, number] => (typeof value === "number" ? [0, value] : value));

/** Tells if step i of N is in a range. */
export const isWithin = ([from, to]: Window, i: number, N: number): boolean =>
  i >= Math.floor(from * N) && i < Math.floor(to * N);

/** Direct inversion (Ju et al. 2024): the branch of the photo is not sampled, so it cannot drift from the photo. */
export const referenceLatents = option(z.boolean().default(false), {
  about: "let the photo's branch follow the latents of DDIM inversion, which lead to the photo, instead of sampling it",
});

/** Words of a prompt. Text that reads as a number is a word too. */
export const promptWords = z.array(
  z.union([z.string().regex(/\S/), z.number().transform(String)], { error: "expected a word of a prompt" }),
  { error: "expected words of the prompts, separated by commas" },
);

/** DeepCache (Ma et al. 2024): the U-Net's inner parts are computed now and then only. */
export const reuse = option(whole(1, 50).default(1), {
  about: "compute the inner parts of the U-Net at every n-th step of the edit only, which is faster; 1: at every step",
  value: "<n>",
});

export const seed = option(whole(0, Number.MAX_SAFE_INTEGER).default(0), {
  about: "seed of the random numbers",
  value: "<n>",
});

/** Options of methods that have a strip of edits, from "as the photo" to "as the prompt". */
export const strengthOptions = {
  strength: option(oneOf(["auto", "fixed"]), {
    about: "auto: choose how much of the photo to keep; fixed: use the settings as they are",
    value: "<way>",
    unset: "the model's, else fixed; fixed if one of the options that auto would set is given",
    usual: true,
    ofChoice: true,
  }).optional(),
  keep: option(between(0, 1), {
    about: "how much of the photo to keep: 0 follows the prompt, 1 keeps the photo; sets the options that decide it",
    value: "<share>",
    unset: "off",
  }).optional(),
};
