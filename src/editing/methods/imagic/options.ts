import { z } from "zod";
import { between, option, whole } from "../../../core/index.ts";
import { guidance, seed, steps } from "../../samplingOptions.ts";
import { trainingOptions } from "../../tunePhoto.ts";

/** Options of stages A and B. The defaults are the authors' for Stable Diffusion (paper, appendix). */
export const prepareOptions = z.strictObject({
  steps,
  embeddingSteps: option(whole(0, 100_000).default(1000), {
    about: "steps that tune the target prompt's embedding on the photo",
    value: "<n>",
  }),
  embeddingRate: option(between(1e-8, 1).default(2e-3), {
    about: "Adam's learning rate for the embedding",
    value: "<rate>",
  }),
  tuningSteps: option(whole(0, 100_000).default(1500), {
    about: "steps that then tune the U-Net's weights on the photo with that embedding",
    value: "<n>",
  }),
  tuningRate: option(between(1e-10, 1).default(5e-7), {
    about: "Adam's learning rate for the weights",
    value: "<rate>",
  }),
  ...trainingOptions,
});
export type PrepareSettings = z.output<typeof prepareOptions>;

/** Options of stage C. */
export const editOptions = z.strictObject({
  eta: option(between(0, 2).default(0.7), {
    about: "share of the target prompt's embedding: 0 reproduces the photo, 1 follows the prompt alone",
    value: "<share>",
    usual: true,
  }),
  guidance,
  seed,
});
export type EditSettings = z.output<typeof editOptions>;
