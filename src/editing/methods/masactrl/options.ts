import { z } from "zod";
import { between, maskOption, option, whole } from "../../../core/index.ts";
import {
  ddimInversionOptions,
  guidance,
  promptWords,
  referenceLatents,
  reuse,
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
    about: "first step of mutual self-attention, counted from 0; a step from N on turns it off",
    value: "<n>",
    unset: "step 4 of 50, in proportion",
    usual: true,
  }).optional(),
  layer: option(whole(0, 1000), {
    about: "first layer of mutual self-attention, in order of execution from 0",
    value: "<n>",
    unset: "layer 10 of 16, in proportion",
    usual: true,
  }).optional(),
  referenceLatents,
  sourceMask: maskOption({
    about:
      "mask of the subject in the photo, needs one of the edit too: the edit's subject then takes from the photo's subject only, its background from the photo's background",
    value: "<file>",
    unset: "none",
  }),
  targetMask: maskOption({
    about: "mask of the subject in the edit, needs one of the photo too",
    value: "<file>",
    unset: "none",
  }),
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
    about:
      "a place is marked if its attention to these words is at least this share of the way from the lowest to the highest",
    value: "<share>",
  }),
  guidance,
  reuse,
});
export type EditSettings = z.output<typeof editOptions>;
