import { z } from "zod";
import { between, decimal, oneOf, option, whole } from "../../core/index.ts";
import type { Dependents, SweepPoints } from "../method.ts";
import { promptWords, type Window, window } from "../samplingOptions.ts";

/** "WORD=VALUE" in its two parts. The word may be several words in a row. */
function partsOf(text: string): { word: string; value: string } {
  const at = text.lastIndexOf("=");
  return { word: text.slice(0, Math.max(0, at)).trim(), value: text.slice(at + 1).trim() };
}

const numberOf = (text: string): number => (decimal.test(text) ? Number(text) : Number.NaN);

/** Reads "WORD=FROM:TO" or "WORD=SHARE". window: undefined if it is not a range of the steps in order. */
export function wordStepsOf(text: string): { word: string; window: Window | undefined } {
  const { word, value } = partsOf(text);
  const shares = value.split(":").map(numberOf);
  return { word, window: window.safeParse(shares.length === 1 ? shares[0] : shares).data };
}

/** Reads "WORD=FACTOR". factor: NaN if it is not a number. */
export function emphasisOf(text: string): { word: string; factor: number } {
  const { word, value } = partsOf(text);
  return { word, factor: numberOf(value) };
}

const isWordSteps = (text: string): boolean => {
  const { word, window } = wordStepsOf(text);
  return word !== "" && window !== undefined;
};
const isEmphasis = (text: string): boolean => {
  const { word, factor } = emphasisOf(text);
  return word !== "" && Math.abs(factor) <= 100;
};

const listOf = (one: z.ZodType<string, string>, expected: string) =>
  z.array(one, { error: `expected ${expected}, separated by commas` }).min(1, `expected ${expected}`);
const threshold = between(0, 1);

/** Options of Prompt-to-Prompt. defaults: those of a method. */
export const promptToPromptOptions = (defaults: {
  readonly mapping: "auto" | "replace" | "refine";
  readonly crossSteps: number;
  readonly selfSteps: number;
}) => ({
  mapping: option(oneOf(["auto", "replace", "refine"]).default(defaults.mapping), {
    about:
      "how the target's words take the maps of the caption's: replace (the n-th word from the n-th), refine (only words that both have), or auto: replace if both have equally many words, else refine",
    value: "<mapping>",
  }),
  crossSteps: option(window.default([0, defaults.crossSteps]), {
    about: "share of the steps in which cross-attention uses the maps of the photo's caption",
    value: "<share>",
    usual: true,
  }),
  wordSteps: option(
    listOf(
      z.string().refine(isWordSteps, "expected WORD=FROM:TO, two shares of the steps in order"),
      "WORD=FROM:TO, shares of the steps in 0..1 with FROM not above TO",
    ).optional(),
    {
      about: "share of the steps in which single words of the target use these maps, in place of --cross-steps",
      value: "<word=from:to>",
      unset: "none",
    },
  ),
  selfSteps: option(window.default([0, defaults.selfSteps]), {
    about: "share of the steps in which self-attention uses the photo's maps",
    value: "<share>",
    usual: true,
  }),
  selfTokens: option(whole(1, 2 ** 20).default(32 ** 2), {
    about: "self-attention layers with more places than this keep their own maps",
    value: "<n>",
  }),
  emphasis: option(
    listOf(
      z.string().refine(isEmphasis, "expected WORD=FACTOR, a factor in -100..100"),
      "WORD=FACTOR, factors in -100..100",
    ).optional(),
    {
      about: "factors by which the attention to words of the target is multiplied",
      value: "<word=factor>",
      unset: "none",
      usual: true,
    },
  ),
  blend: option(promptWords.optional(), {
    about: "change the photo only where it, or the edit, attends to these words of either prompt",
    value: "<words>",
    unset: "everywhere",
  }),
  blendExcept: option(promptWords.optional(), {
    about: "with --blend: do not change the places of these words",
    value: "<words>",
    unset: "none",
  }),
  blendThreshold: option(
    z
      .union([threshold, z.tuple([threshold, threshold])], { error: "expected a share in 0..1, or BLEND:EXCEPT" })
      .default(0.3),
    {
      about: "a place belongs to a word if its attention is at least this share of the word's strongest",
      value: "<share>",
    },
  ),
  blendStart: option(between(0, 1).default(0.2), {
    about: "with --blend: share of the steps before it starts",
    value: "<share>",
  }),
  blendLevel: option(whole(0, 7).optional(), {
    about: "with --blend: level of the cross-attention layers that find the words (0 is the finest)",
    value: "<level>",
    unset: "the coarsest with at least 16 places along each side, else the finest",
  }),
  fixTail: option(z.boolean().default(true), {
    about: "with mapping replace: map the end of the target to the end of the caption if words differ in length",
    off: "with mapping replace: map the end of the target by position, as the authors' code does",
  }),
});

/** The options that have an effect only with `blend`. */
export const blendOptions: Dependents = { options: ["blendThreshold", "blendStart", "blendLevel"], needs: ["blend"] };

/** Points of a sweep over both windows: a row for each share of self-attention, a column for each of cross-attention. */
export const windowGrid = (
  shares: readonly number[],
): SweepPoints<{ readonly selfSteps: number; readonly crossSteps: number }> => ({
  points: shares.flatMap((selfSteps) => shares.map((crossSteps) => ({ selfSteps, crossSteps }))),
  columns: shares.length,
});

export type PromptToPromptSettings = z.output<z.ZodObject<ReturnType<typeof promptToPromptOptions>>>;
