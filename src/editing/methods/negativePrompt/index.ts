import { z } from "zod";
import { row } from "../../../core/index.ts";
import { invertedOnly, invertPhoto } from "../../invertPhoto.ts";
import { guidedBy } from "../../lockstep/index.ts";
import { defineMethod } from "../../method.ts";
import { guidance, steps } from "../../samplingOptions.ts";

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
  prepareOptions: z.strictObject({ steps }),
  editOptions: z.strictObject({ guidance }),
  pictures: { reconstruction: "reconstruction", edit: "edit" },
  photoPicture: "reconstruction",
  ...invertedOnly,
  prepare: (job) => {
    const { source, empty } = job.embeddings;
    return invertPhoto(job, { context: source, empty, guidance: 1 });
  },
  // There is no `reconstruction`, because it would take N more predictions.
  edit: ({ prepared, embeddings: { source, target } }, { guidance }, key) => {
    const start = row(prepared.tensors.inverted, 0);
    const reconstruction = { name: "reconstruction", start, terms: () => guidedBy(1, source, source) };
    const edit = { name: `edit${key}`, start, terms: () => guidedBy(guidance, target, source) };
    return {
      processes: [reconstruction, edit],
      pictures: { reconstruction: reconstruction.name, edit: edit.name },
      prompts: { reconstruction: prepared.source },
    };
  },
});
