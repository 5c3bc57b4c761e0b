import { z } from "zod";
import { between, combine, noise, option, type Tensor, UsageError } from "../../../core/index.ts";
import type { Schedule } from "../../../diffusion/index.ts";
import { guidedBy } from "../../lockstep/index.ts";
import { defineMethod } from "../../method.ts";
import { fewerSteps, guidance, reuse, seed, steps, strengthOptions } from "../../samplingOptions.ts";

/**
 * Returns the first sampling step for a strength in 0..1: of N steps, the last ⌊strength·N⌋ are sampled. Same arithmetic as
 * `get_timesteps` of diffusers' img2img pipeline.
 */
export const firstStepAt = (strength: number, N: number): number => N - Math.min(Math.floor(strength * N), N);

/**
 * Returns SDEdit's start: the photo's latent z0 with noise of the first step's level, √ᾱ·z0 + √(1−ᾱ)·n. It is the photo if
 * no step is sampled, and the noise alone if all are. photo, noise: [1, C, h, w].
 */
export function noisedPhoto({ alphaBar }: Pick<Schedule, "alphaBar">, i: number, photo: Tensor, noise: Tensor): Tensor {
  if (i === alphaBar.length - 1) return photo;
  return i === 0 ? noise : combine(Math.sqrt(alphaBar[i]), photo, Math.sqrt(1 - alphaBar[i]), noise);
}

const usualStrength = 0.8;

/** SDEdit (Meng et al. 2022): noise on the photo's latent, then sampling with the target prompt from there. */
export const sdedit = defineMethod({
  name: "sdedit",
  title: "SDEdit: noise on the photo, then sampling with the target prompt",
  paper: "https://arxiv.org/abs/2108.01073",
  needs: { caption: "unused", randomSeed: true, weightGradients: false },
  servesEveryTarget: true,
  prepareOptions: z.strictObject({ steps }),
  editOptions: z.strictObject({
    strength: option(
      z.union([between(0, 1), z.literal("auto")], { error: "expected 0..1 or auto" }).default(usualStrength),
      {
        about: "share of the steps that are sampled: 0 gives the photo, 1 ignores it; auto: choose it",
        value: "<share>",
        usual: true,
      },
    ),
    keep: strengthOptions.keep,
    guidance,
    reuse,
    seed,
  }),
  presets: fewerSteps,
  pictures: { edit: "edit" },
  prepareSteps: () => 1,
  /** photo: the photo's latent, [1, C, h, w]. */
  tensors: (_, { latent }) => ({ photo: { shape: [1, ...latent] } }),
  prepare: async ({ model, picture, prepared, stepDone, signal }) => {
    prepared.tensors.photo.data.set((await model.encode(picture, signal)).data);
    await stepDone({ phase: "encode", done: 1, total: 1 });
  },
  photoLatent: ({ tensors }) => tensors.photo,
  strip: {
    options: ["strength"],
    // With few steps, the photo's end of the strip samples one.
    settings: (keep, _, { prepared }) => ({ strength: Math.max(1 - 0.7 * keep, 1 / prepared.timesteps.length) }),
  },
  resolve: ({ strength: given, ...settings }, { prepared }) => {
    const N = prepared.timesteps.length;
    // A caller that cannot choose has the usual strength.
    const strength = typeof given === "number" ? given : usualStrength;
    if (strength === 0 || firstStepAt(strength, N) < N) return { ...settings, strength };
    throw new UsageError("no step is left to sample", {
      where: "strength",
      found: `${strength}`,
      expected: `0, or at least ${Math.ceil(1000 / N) / 1000} with ${N} steps`,
    });
  },
  edit: ({ prepared, embeddings: { empty, target }, schedule }, { strength, guidance, reuse, seed }, key) => {
    const { photo } = prepared.tensors;
    const startStep = firstStepAt(Number(strength), prepared.timesteps.length);
    const start = noisedPhoto(schedule, startStep, photo, noise(photo.shape, seed));
    const edit = { name: `edit${key}`, startStep, start, terms: () => guidedBy(guidance, target, empty) };
    return { processes: [edit], pictures: { edit: edit.name }, reuse };
  },
});
