import { row } from "../../../core/index.ts";
import { invertPhoto } from "../../invertPhoto.ts";
import { defineMethod } from "../../method.ts";
import { editMasaCtrl, resolveMasaCtrl } from "./edit.ts";
import { editOptions, prepareOptions } from "./options.ts";

/**
 * MasaCtrl (Cao et al. 2023): the edit's self-attention asks with its own queries and gets the photo's keys and values, so
 * that it takes its layout from the prompt and its contents from the photo.
 */
export const masactrl = defineMethod({
  name: "masactrl",
  title: "MasaCtrl: mutual self-attention between the photo and the edit",
  paper: "https://arxiv.org/abs/2304.08465",
  needs: { sourceCaption: false, optionalCaption: true, randomSeed: false, weightGradients: false },
  prepareOptions,
  editOptions,
  pictures: { source: "source branch", initial: "without mutual self-attention", edit: "edit" },
  prompts: ({ inversionPrompt }): Record<string, string> =>
    inversionPrompt === undefined ? {} : { inversion: inversionPrompt },
  prepareSteps: ({ steps }) => steps,
  /** inverted: z*, [N + 1, C, h, w], noisiest first; the last one is the photo's latent. */
  tensors: ({ steps }, { latent }) => ({ inverted: { shape: [steps + 1, ...latent] } }),
  prepare: (job) => {
    const { empty, source = empty, inversion = source } = job.embeddings;
    return invertPhoto(job, { context: inversion, empty, guidance: job.prepared.settings.inversionGuidance });
  },
  photoLatent: ({ tensors, settings }) => row(tensors.inverted, settings.steps),
  resolve: resolveMasaCtrl,
  edit: editMasaCtrl,
  sweepPoints: () => ({ points: [0, 2, 4, 8, 12, 20, 30, 40].map((step) => ({ step })), columns: 4 }),
});
