import { z } from "zod";
import { option } from "../../../core/index.ts";
import { settingRanges } from "../../../weights/index.ts";
import { promptToPromptOptions } from "../../promptToPrompt/index.ts";
import { guidance, steps, tuningOptions } from "../../samplingOptions.ts";

/** The authors' values at 50 steps: learning rate 1e-2·(1 − i/100), threshold 1e-5 + 2e-5·i, 10 iterations. */
const authors = { learningRate: 1e-2, learningRateEnd: 0.51, iterations: 10, threshold: [1e-5, 2e-5] } as const;

/** Options of null-text optimisation (paper, §3.3). */
export const prepareOptions = z.strictObject({
  steps,
  guidance,
  ...tuningOptions(authors),
  lastIteration: option(z.boolean().default(false), {
    about: "take one more iteration once a step's loss is below the threshold, as the authors' code does",
  }),
});
export type PrepareSettings = z.output<typeof prepareOptions>;

/** Options of Prompt-to-Prompt, with the defaults of the authors' example. */
export const editOptions = z.strictObject({
  ...promptToPromptOptions({ mapping: "auto", crossSteps: 0.8, selfSteps: 0.5 }),
  editGuidance: option(settingRanges.guidance, {
    about: "guidance scale of the edit",
    value: "<scale>",
    unset: "that of the inversion",
  }).optional(),
});
export type EditOptions = z.input<typeof editOptions>;
export type EditSettings = z.output<typeof editOptions>;
