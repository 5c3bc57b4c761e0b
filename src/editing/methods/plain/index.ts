import { z } from "zod";
import { row } from "../../../core/index.ts";
import { invertedOnly, invertPhoto } from "../../invertPhoto.ts";
import { guidedBy } from "../../lockstep/index.ts";
import { defineMethod } from "../../method.ts";
import { ddimInversionOptions, fewerSteps, guidance, reuse, steps } from "../../samplingOptions.ts";

/** DDIM inversion of the photo, then sampling with the target prompt: the baseline of every other method. */
export const plain = defineMethod({
  name: "plain",
  title: "DDIM inversion, then sampling with the target prompt",
  paper: "https://arxiv.org/abs/2010.02502",
  needs: { caption: "unused", randomSeed: false, weightGradients: false },
  prepareOptions: z.strictObject({ steps, ...ddimInversionOptions }),
  editOptions: z.strictObject({ guidance, reuse }),
  presets: fewerSteps,
  pictures: { edit: "edit", inversion: "DDIM inversion" },
  photoPicture: "inversion",
  prompts: ({ inversionPrompt }, target) => ({ inversion: inversionPrompt ?? target }),
  ...invertedOnly,
  prepare: (job) => {
    const { inversion, empty } = job.embeddings;
    return invertPhoto(job, { context: inversion, empty, guidance: job.prepared.settings.inversionGuidance });
  },
  edit: ({ prepared, embeddings: { empty, target } }, settings, key) => {
    const { inverted } = prepared.tensors;
    const start = row(inverted, 0);
    const edit = { name: `edit${key}`, start, terms: () => guidedBy(settings.guidance, target, empty) };
    const inversion = { name: "inversion", start, known: inverted, terms: () => guidedBy(1, target, empty) };
    return {
      processes: [edit, inversion],
      pictures: { edit: edit.name, inversion: inversion.name },
      reuse: settings.reuse,
    };
  },
});
