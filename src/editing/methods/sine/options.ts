import { z } from "zod";
import { between, option, whole } from "../../../core/index.ts";
import { guidance, seed, steps } from "../../samplingOptions.ts";
import { trainingOptions } from "../../tunePhoto.ts";

/** Options of fine-tuning (paper, §4.1 and §4.3). The defaults are the authors' for Stable Diffusion, without patches. */
export const prepareOptions = z.strictObject({
  steps,
  trainingPrompt: option(z.string().regex(/\S/, "expected what the photo shows"), {
    about: "prompt that the photo is tuned with, and that the tuned model samples with",
    value: "<prompt>",
    unset: "the caption (--source)",
  }).optional(),
  tuningSteps: option(whole(1, 100_000).default(800), {
    about: "steps that tune the weights of U-Net and text encoder on the photo",
    value: "<n>",
  }),
  tuningRate: option(between(1e-10, 1).default(1e-6), {
    about: "AdamW's learning rate",
    value: "<rate>",
  }),
  patches: option(whole(1, 8), {
    about: "tune on random patches of the photo, enlarged to <n> times the size to work at",
    value: "<n>",
    unset: "off: tune on the whole photo",
  }).optional(),
  cleanLoss: option(between(0, 1000), {
    about: "weight of a second loss, of the clean latent that the prediction gives",
    value: "<weight>",
    unset: "1 with patches, 0 without",
  }).optional(),
  ...trainingOptions,
});
export type PrepareSettings = z.output<typeof prepareOptions>;

/** Options of model-based guidance (paper, §4.2). */
export const editOptions = z.strictObject({
  pretrainedShare: option(between(0, 1).default(0.7), {
    about:
      "share v of the model as it was in the conditional prediction, the tuned one has the rest; 1 ignores the photo",
    value: "<share>",
  }),
  tunedAbove: option(whole(0, 1_000_000).default(400), {
    about: "timestep K down to which the tuned model takes part; below, sampling is that of the model as it was",
    value: "<timestep>",
  }),
  guidance,
  seed,
});
export type EditSettings = z.output<typeof editOptions>;
