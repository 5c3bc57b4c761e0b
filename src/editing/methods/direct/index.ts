import { z } from "zod";
import { row } from "../../../core/index.ts";
import { invertedWithCaption } from "../../invertPhoto.ts";
import { guidedBy, type Process } from "../../lockstep/index.ts";
import { defineMethod } from "../../method.ts";
import {
  blendOptions,
  promptToPrompt,
  promptToPromptOptions,
  resolvePromptToPrompt,
  windowGrid,
} from "../../promptToPrompt/index.ts";
import { guidance, steps } from "../../samplingOptions.ts";

/**
 * Direct inversion (Ju et al. 2024), with Prompt-to-Prompt (Hertz et al. 2022): the source branch is corrected at each step by the
 * recorded difference to DDIM inversion, so its latents are z*, and nothing is tuned. The edit is sampled without a correction.
 */
export const direct = defineMethod({
  name: "direct",
  title: "Direct inversion with Prompt-to-Prompt",
  paper: "https://arxiv.org/abs/2310.01506",
  needs: { caption: "required", randomSeed: false, weightGradients: false },
  servesEveryTarget: true,
  prepareOptions: z.strictObject({ steps }),
  editOptions: z.strictObject({
    ...promptToPromptOptions({ mapping: "refine", crossSteps: 0.4, selfSteps: 0.6 }),
    guidance,
  }),
  heaviest: { prepare: {}, edit: { selfSteps: 1, crossSteps: 1 } },
  dependents: [blendOptions],
  pictures: { source: "source branch", initial: "without the photo's attention", edit: "edit" },
  photoPicture: "source",
  ...invertedWithCaption,
  resolve: resolvePromptToPrompt,
  edit: (job, settings, key) => {
    const { inverted } = job.prepared.tensors;
    const { empty, source: caption, target } = job.embeddings;
    const { guidance } = settings;
    const start = row(inverted, 0);
    // z_src + (z* − z_src) = z*: with the difference added, the source's latents are DDIM inversion's (paper, algorithm 1).
    const source: Process = {
      name: "source",
      start,
      known: inverted,
      terms: () => guidedBy(guidance, caption, empty),
    };
    const initial: Process = {
      name: `initial, guidance ${guidance}`,
      start,
      terms: () => guidedBy(guidance, target, empty),
    };
    const branches = { source: source.name, edit: `edit${key}` };
    const { attention, ...controlled } = promptToPrompt(job, settings, branches);
    return {
      processes: [source, initial, { ...initial, name: branches.edit, attention }],
      pictures: { ...branches, initial: initial.name },
      prompts: { source: job.prepared.source },
      ...controlled,
    };
  },
  sweepPoints: () => windowGrid([0.2, 0.4, 0.8]),
});
