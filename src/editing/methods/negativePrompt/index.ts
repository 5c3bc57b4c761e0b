import { z } from "zod";
import { option, row } from "../../../core/index.ts";
import { invertedWithCaption } from "../../invertPhoto.ts";
import { guidedBy, type Process } from "../../lockstep/index.ts";
import { defineMethod, type ResolveFacts } from "../../method.ts";
import {
  blendOptions,
  promptToPrompt,
  promptToPromptOptions,
  resolvePromptToPrompt,
} from "../../promptToPrompt/index.ts";
import { guidance, steps } from "../../samplingOptions.ts";

const controls = promptToPromptOptions({ mapping: "auto", crossSteps: 0.4, selfSteps: 0.6 });
const editOptions = z.strictObject({
  guidance,
  promptToPrompt: option(z.boolean().default(false), {
    about:
      "take the reconstruction's attention maps, by Prompt-to-Prompt; the options after this one have an effect only with it",
    usual: true,
  }),
  ...controls,
});
type EditSettings = z.output<typeof editOptions>;

/** Leaves out the options of Prompt-to-Prompt if it is off. */
function resolveNegativePrompt(settings: EditSettings, facts: ResolveFacts<{ steps: number }>): EditSettings {
  if (settings.promptToPrompt) return resolvePromptToPrompt(settings, facts);
  const { guidance, promptToPrompt } = settings;
  return { guidance, promptToPrompt } as EditSettings;
}

/**
 * Negative-prompt inversion (Miyake et al. 2023): replaces null-text inversion's tuned ∅ by the embedding c of the photo's
 * caption, so that nothing is tuned. Sampling with c is then free of guidance at any scale: w·ε(c) + (1 − w)·ε(c) = ε(c). So
 * it follows DDIM inversion back to the photo.
 */
export const negativePrompt = defineMethod({
  name: "negative-prompt",
  title: "Negative-prompt inversion: the photo's caption takes the place of the empty prompt",
  paper: "https://arxiv.org/abs/2305.16807",
  needs: { caption: "required", randomSeed: false, weightGradients: false },
  servesEveryTarget: true,
  prepareOptions: z.strictObject({ steps }),
  editOptions,
  dependents: [{ options: Object.keys(controls), needs: ["promptToPrompt"] }, blendOptions],
  pictures: { reconstruction: "reconstruction", edit: "edit" },
  photoPicture: "reconstruction",
  ...invertedWithCaption,
  resolve: resolveNegativePrompt,
  // There is no `reconstruction`, because it would take N more predictions.
  edit: (job, settings, key) => {
    const { prepared, embeddings } = job;
    const { source, target } = embeddings;
    const start = row(prepared.tensors.inverted, 0);
    const branches = { source: "reconstruction", edit: `edit${key}` };
    const reconstruction: Process = { name: branches.source, start, terms: () => guidedBy(1, source, source) };
    const edit: Process = { name: branches.edit, start, terms: () => guidedBy(settings.guidance, target, source) };
    const { attention, ...controlled } = settings.promptToPrompt
      ? promptToPrompt(job, settings, branches)
      : { attention: undefined };
    return {
      processes: [reconstruction, { ...edit, attention }],
      pictures: { reconstruction: branches.source, edit: branches.edit },
      prompts: { reconstruction: prepared.source },
      ...controlled,
    };
  },
});
