import { defineMethod } from "../../method.ts";
import { blendOptions, windowGrid } from "../../promptToPrompt/index.ts";
import { invertAndTune, tunedEachStep } from "../../tuneEachStep.ts";
import { editNullText, resolveNullText } from "./edit.ts";
import { editOptions, prepareOptions } from "./options.ts";

export { iterationsOf, learningRateAt } from "../../tuneEachStep.ts";
export type { EditOptions } from "./options.ts";

/**
 * Null-text inversion (Mokady et al. 2023): tunes the empty prompt's embedding at each step until guided sampling with the photo's
 * caption leads back to the photo. Edits are made by Prompt-to-Prompt (Hertz et al. 2022).
 */
export const nullText = defineMethod({
  name: "null-text",
  title: "Null-text inversion with Prompt-to-Prompt",
  paper: "https://arxiv.org/abs/2211.09794",
  needs: { caption: "required", randomSeed: false, weightGradients: false },
  servesEveryTarget: true,
  prepareOptions,
  editOptions,
  heaviest: { prepare: { iterations: 1, earlyStop: false }, edit: { selfSteps: 1, crossSteps: 1 } },
  dependents: [blendOptions],
  pictures: { reconstruction: "reconstruction", initial: "without the photo's attention", edit: "edit" },
  photoPicture: "reconstruction",
  ...tunedEachStep,
  // Pivotal inversion (paper, §3.2), then null-text optimisation (§3.3, algorithm 1). The learning rate falls, Adam is new at
  // each step, and ∅_i starts from ∅_{i-1}.
  prepare: async (job) => {
    const { source, empty } = job.embeddings;
    const { lastIteration } = job.prepared.settings;
    await invertAndTune(
      job,
      { context: source, empty, guidance: 1 },
      { tunes: "unconditional", untuned: empty, fixed: source, lastIteration },
    );
  },
  remedies: ({ settings: { iterations, learningRate, earlyStop, steps, guidance } }) => ({
    ...(earlyStop && { earlyStop: false }),
    iterations: Math.max(10, 2 * iterations),
    learningRate: Math.min(1, 2 * learningRate),
    ...(steps < 50 && { steps: 50 }),
    ...(guidance > 3 && { guidance: 3 }),
  }),
  resolve: resolveNullText,
  edit: editNullText,
  sweepPoints: () => windowGrid([0.2, 0.5, 0.8]),
});
