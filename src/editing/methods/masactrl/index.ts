import { invertedOnly, invertPhoto } from "../../invertPhoto.ts";
import { defineMethod } from "../../method.ts";
import { fewerSteps } from "../../samplingOptions.ts";
import { editMasaCtrl, resolveMasaCtrl } from "./edit.ts";
import { editOptions, prepareOptions } from "./options.ts";

/**
 * MasaCtrl (Cao et al. 2023): the edit's self-attention combines its own queries with the keys and values of the photo. So
 * the edit takes its layout from the prompt and its content from the photo.
 */
export const masactrl = defineMethod({
  name: "masactrl",
  title: "MasaCtrl: mutual self-attention between the photo and the edit",
  paper: "https://arxiv.org/abs/2304.08465",
  needs: { caption: "optional", randomSeed: false, weightGradients: false },
  servesEveryTarget: true,
  prepareOptions,
  editOptions,
  dependents: [{ options: ["maskThreshold"], needs: ["sourceMaskWords", "targetMaskWords"] }],
  presets: fewerSteps,
  pictures: { source: "source branch", initial: "without mutual self-attention", edit: "edit" },
  prompts: ({ inversionPrompt }): Record<string, string> =>
    inversionPrompt === undefined ? {} : { inversion: inversionPrompt },
  ...invertedOnly,
  prepare: (job) => {
    const { empty, source = empty, inversion = source } = job.embeddings;
    return invertPhoto(job, { context: inversion, empty, guidance: job.prepared.settings.inversionGuidance });
  },
  resolve: resolveMasaCtrl,
  edit: editMasaCtrl,
  strip: {
    options: ["step"],
    settings: (keep, _, { prepared }) => ({ step: Math.round((1 - keep) * prepared.timesteps.length) }),
    plainAt: 0,
  },
  sweepPoints: () => ({ points: [0, 2, 4, 8, 12, 20, 30, 40].map((step) => ({ step })), columns: 4 }),
});
