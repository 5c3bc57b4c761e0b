import { z } from "zod";
import { option, whole } from "../../../core/index.ts";
import { ddimInversionOptions, guidance, steps } from "../../samplingOptions.ts";

/** DDIM inversion. The source branch reads the same prompt by default: the photo's caption or "". */
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

/** Mutual self-attention: where it takes place, and what the source branch is. */
export const editOptions = z.strictObject({
  step: option(whole(0, 1000), {
    about: "first step of mutual self-attention, from 0; the number of steps or more turns it off",
    value: "<n>",
    unset: "step 4 of 50, in proportion",
  }).optional(),
  layer: option(whole(0, 1000), {
    about: "first self-attention layer that is mutual, in order of execution from 0",
    value: "<n>",
    unset: "layer 10 of 16, in proportion",
  }).optional(),
  referenceLatents: option(z.boolean().default(false), {
    about: "make the source branch follow DDIM inversion's latents, instead of sampling with its prompt",
  }),
  guidance,
});
export type EditSettings = z.output<typeof editOptions>;
