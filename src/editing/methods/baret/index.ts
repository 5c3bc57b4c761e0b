import { defineMethod } from "../../method.ts";
import { tunedEachStep } from "../../tuneEachStep.ts";
import { alphaSchedule, editBaret, resolveBaret } from "./edit.ts";
import { type EditSettings, editOptions, prepareOptions, presets } from "./options.ts";
import { prepareBaret } from "./prepare.ts";
import { plainAt, stripOfBaret } from "./strip.ts";

export { iterationsOf, thresholdAt } from "../../tuneEachStep.ts";
export type { Role } from "./edit.ts";
export type { EditOptions, EditSettings, PrepareSettings } from "./options.ts";
export type { BaretPrepared } from "./prepare.ts";
export { alphaSchedule };

/** BARET: balanced attention based real image editing driven by target-text inversion. */
export const baret = defineMethod({
  name: "baret",
  title: "BARET: target-text inversion, transition and balanced attention",
  paper: "https://arxiv.org/abs/2312.05482",
  needs: { caption: "unused", randomSeed: false, weightGradients: false },
  prepareOptions,
  editOptions,
  heaviest: { prepare: { iterations: 1, earlyStop: false }, edit: { selfSteps: 1, crossSteps: 1 } },
  dependents: [{ options: ["blendStart"], needs: ["blendBelow", "strength"] }],
  formerNames: { selfLevels: "selfLayers", crossLevels: "crossLayers" },
  presets,
  pictures: {
    reconstruction: "reconstruction",
    initial: "initial inversion result",
    transition: "transition",
    edit: "edit",
  },
  photoPicture: "reconstruction",
  prompts: ({ inversionPrompt }, target) => ({ inversion: inversionPrompt ?? target }),
  ...tunedEachStep,
  prepare: prepareBaret,
  remedies: ({ settings: { iterations, learningRate, earlyStop, steps, guidance } }) => ({
    ...(earlyStop && { earlyStop: false }),
    iterations: Math.max(5, 2 * iterations),
    learningRate: 2 * learningRate,
    ...(steps < 50 && { steps: 50 }),
    ...(guidance > 3 && { guidance: 3 }),
  }),
  resolve: resolveBaret,
  edit: editBaret,
  strip: { options: ["alpha", "selfSteps", "crossSteps", "blendBelow", "newNoise"], settings: stripOfBaret, plainAt },
  sweepPoints: figure9,
});

/** The paper's figure 9: changes one setting at a time. The paper gives only some of the values of the last row. */
function figure9({ alpha, selfSteps, crossSteps }: EditSettings) {
  const usual = { alpha, selfSteps, crossSteps };
  const axes = {
    alpha: [0.9, 0.8, 0.6, 0.5, 0].map((start) => [start, start === 0 ? 0 : 0.1]),
    selfSteps: [0.1, 0.2, 0.3, 0.4, 0.5],
    crossSteps: [0.8, 0.6, 0.4, 0.2, 0],
  };
  const points = Object.entries(axes).flatMap(([axis, values]) => values.map((value) => ({ ...usual, [axis]: value })));
  return { points, columns: axes.alpha.length };
}
