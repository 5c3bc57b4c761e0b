import { z } from "zod";
import { between, combine, noise, option } from "../../src/core/index.ts";
import { defineMethod, guidedBy, samplingOptions } from "../../src/editing/index.ts";

/** SDEdit (Meng et al. 2022): noise on the photo's latent, then sampling with the target prompt from there. */
export const sdedit = defineMethod({
  name: "sdedit-test",
  title: "SDEdit: noise, then sampling",
  paper: "https://arxiv.org/abs/2108.01073",
  needs: { caption: "unused", randomSeed: true, weightGradients: false },
  prepareOptions: z.strictObject({ steps: samplingOptions.steps }),
  editOptions: z.strictObject({
    strength: option(between(0.01, 1).default(0.6), { about: "share of the steps that are sampled", value: "<share>" }),
    guidance: samplingOptions.guidance,
    seed: samplingOptions.seed,
  }),
  pictures: { edit: "edit" },
  prepareSteps: () => 1,
  tensors: (_, { latent }) => ({ photo: { shape: [1, ...latent] } }),
  prepare: async ({ model, picture, prepared, stepDone, signal }) => {
    prepared.tensors.photo.data.set((await model.encode(picture, signal)).data);
    await stepDone({ phase: "encode", done: 1, total: 1 });
  },
  photoLatent: ({ tensors }) => tensors.photo,
  edit: ({ prepared, embeddings: { empty, target }, schedule }, { strength, guidance, seed }, key) => {
    const N = prepared.timesteps.length;
    const startStep = N - Math.max(1, Math.floor(strength * N));
    const { photo } = prepared.tensors;
    const a = schedule.alphaBar[startStep];
    const start = combine(Math.sqrt(a), photo, Math.sqrt(1 - a), noise(photo.shape, seed));
    const terms = () => guidedBy(guidance, target, empty);
    const name = `edit${key}`;
    return { processes: [{ name, startStep, start, terms }], pictures: { edit: name } };
  },
});
