import { noise, type Tensor, UsageError } from "../../../core/index.ts";
import { conditional, guidedBy, type Term } from "../../lockstep/index.ts";
import { defineMethod } from "../../method.ts";
import { tunedUNet } from "../../tunePhoto.ts";
import { type EditSettings, editOptions, prepareOptions } from "./options.ts";
import { photoScale, prepareSine, prepareSteps, problems, tensorLayouts, weightSets } from "./prepare.ts";

/** Embeddings of the target prompt c, of the training prompt ĉ by the tuned text encoder, and of "". [1, L, D]. */
interface Contexts {
  readonly target: Tensor;
  readonly caption: Tensor;
  readonly empty: Tensor;
}

/**
 * Model-based guidance at timestep t (paper, §4.2). t > K: w·(v·ε(z, t, c) + (1 − v)·ε̂(z, t, ĉ)) + (1 − w)·ε(z, t, ∅), where ε̂
 * is the tuned U-Net. t ≤ K: classifier-free guidance, w·ε(z, t, c) + (1 − w)·ε(z, t, ∅).
 */
function modelBasedGuidance(
  t: number,
  { target, caption, empty }: Contexts,
  { pretrainedShare: v, tunedAbove: K, guidance: w }: EditSettings,
): readonly Term[] {
  const plain = guidedBy(w, target, empty);
  if (t <= K || v === 1) return plain;
  return [
    ...plain.map((term) => (term.name === conditional ? { ...term, weight: w * v } : term)),
    { name: "tuned", weight: w * (1 - v), context: caption, weights: tunedUNet },
  ];
}

/**
 * SINE (Zhang et al. 2023): tunes the model on the photo, and samples from noise with the model as it was, guided by the tuned
 * one at the noisy steps. So these steps give the layout of the photo, and the later ones follow the target prompt alone.
 */
export const sine = defineMethod({
  name: "sine",
  title: "SINE: fine-tuning on the photo, then guidance by the tuned model",
  paper: "https://arxiv.org/abs/2212.04489",
  needs: { caption: "required", randomSeed: true, weightGradients: true },
  servesEveryTarget: true,
  prepareOptions,
  editOptions,
  pictures: { tuned: "tuned model alone", edit: "edit" },
  photoPicture: "tuned",
  photoScale,
  prepareSteps,
  tensors: tensorLayouts,
  weightSets,
  prepare: prepareSine,
  problems,
  photoLatent: ({ tensors }) => tensors.photo,
  iterations: ({ settings: { tuningSteps } }) => tuningSteps,
  resolve: (settings, { prepared: { timesteps } }) => {
    if (settings.tunedAbove < timesteps[0] || settings.pretrainedShare === 1) return settings;
    throw new UsageError("no step is above this timestep, so the photo has no effect", {
      where: "tunedAbove",
      found: `${settings.tunedAbove}`,
      expected: `0..${timesteps[0] - 1}, since the first of ${timesteps.length} steps has timestep ${timesteps[0]}`,
      advice: "To sample without the photo, set pretrainedShare to 1.",
    });
  },
  edit: ({ prepared, embeddings: { empty, target }, schedule }, settings, key) => {
    const { photo, caption } = prepared.tensors;
    const { guidance, seed } = settings;
    const start = noise(photo.shape, seed);
    const contexts = { target, caption, empty };
    const edit = {
      name: `edit${key}`,
      start,
      terms: (i: number) => modelBasedGuidance(schedule.timesteps[i], contexts, settings),
    };
    const alone = guidedBy(guidance, caption, empty).map((term) =>
      term.name === conditional ? { ...term, weights: tunedUNet } : term,
    );
    const tuned = { name: `tuned, guidance ${guidance}, seed ${seed}`, start, terms: () => alone };
    return {
      processes: [tuned, edit],
      pictures: { tuned: tuned.name, edit: edit.name },
      prompts: { tuned: prepared.settings.trainingPrompt ?? prepared.source },
    };
  },
  sweepPoints: () => ({
    points: [0.3, 0.5, 0.7, 0.85].flatMap((pretrainedShare) =>
      [200, 400, 600, 800].map((tunedAbove) => ({ pretrainedShare, tunedAbove })),
    ),
    columns: 4,
  }),
});
