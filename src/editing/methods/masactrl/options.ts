import { z } from "zod";
import { between, maskOption, option, whole } from "../../../core/index.ts";
import {
  ddimInversionOptions,
  guidance,
  promptWords,
  referenceLatents,
  steps,
  strengthOptions,
} from "../../samplingOptions.ts";

/** Options of DDIM inversion. By default its prompt is that of the source branch: the photo's caption or "". */
export const prepareOptions = z.strictObject({
  steps,
  ...ddimInversionOptions,
  inversionPrompt: option(z.string(), {
    about: "prompt of DDIM inversion",
    value: "<prompt>",
    unset: 'the caption (--source), or "" without one',
  }).optional(),
});
export type PrepareSettings = z.output<typeof prepareOptions>;

const words = promptWords.min(1, "expected at least one word");

/** Options of mutual self-attention, its masks and of the source branch. */
export const editOptions = z.strictObject({
  ...strengthOptions,
  step: option(whole(0, 1000), {
    about: "first step of mutual self-attention, counted from 0; off if it is not below the number of steps",
    value: "<n>",
    unset: "step 4 of 50, in proportion",
  }).optional(),
  layer: option(whole(0, 1000), {
    about: "first layer of mutual self-attention, in order of execution from 0",
    value: "<n>",
    unset: "layer 10 of 16, in proportion",
  }).optional(),
  referenceLatents,
  sourceMask: maskOption({
    about: "mask of the subject in the photo; with a mask of the edit, subject and background each take from their own",
    value: "<file>",
    unset: "none",
  }),
  targetMask: maskOption({ about: "mask of the subject in the edit", value: "<file>", unset: "none" }),
  sourceMaskWords: option(words, {
    about: "words of the caption whose cross-attention marks the subject in the photo, in place of a mask",
    value: "<words>",
    unset: "none",
  }).optional(),
  targetMaskWords: option(words, {
    about: "words of the target prompt whose cross-attention marks the subject in the edit, in place of a mask",
    value: "<words>",
    unset: "none",
  }).optional(),
  maskThreshold: option(between(0, 1).default(0.1), {
    about: "attention to these words from which on a place is marked, as a share from the lowest to the highest",
    value: "<share>",
  }),
  guidance,
});
export type EditSettings = z.output<typeof editOptions>;
