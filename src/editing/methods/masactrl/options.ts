import { z } from "zod";
import { option, whole } from "../../../core/index.ts";
import { ddimInversionOptions, guidance, steps } from "../../samplingOptions.ts";

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

/** Options of mutual self-attention and of the source branch. */
export const editOptions = z.strictObject({
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
  referenceLatents: option(z.boolean().default(false), {
    about: "use the latents of DDIM inversion as source branch, instead of sampling with its prompt",
  }),
  guidance,
});
export type EditSettings = z.output<typeof editOptions>;
