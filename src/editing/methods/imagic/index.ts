import { lerp, noise, type Tensor } from "../../../core/index.ts";
import { guidedBy } from "../../lockstep/index.ts";
import { defineMethod } from "../../method.ts";
import { tunedUNet } from "../../tunePhoto.ts";
import { editOptions, prepareOptions } from "./options.ts";
import { type ImagicTensor, prepareImagic, prepareSteps, problems, tensorLayouts, weightSets } from "./prepare.ts";

/** Stage C: ē = η·e_tgt + (1 − η)·e_opt (paper, eq. 3). Embeddings: [1, L, D]. */
const interpolated = (eta: number, optimised: Tensor, target: Tensor): Tensor =>
  eta === 0 ? optimised : lerp(optimised, target, eta);

/**
 * Imagic (Kawar et al. 2023): tunes the target prompt's embedding until it reproduces the photo, then the U-Net with that
 * embedding, and samples between it and the target's embedding.
 */
export const imagic = defineMethod({
  name: "imagic",
  title: "Imagic: fine-tuning on the photo, then sampling between two embeddings",
  paper: "https://arxiv.org/abs/2210.09276",
  needs: { caption: "unused", randomSeed: true, weightGradients: true },
  prepareOptions,
  editOptions,
  pictures: { reconstruction: "optimised embedding", edit: "edit" },
  photoPicture: "reconstruction",
  prepareSteps,
  tensors: tensorLayouts,
  weightSets,
  prepare: prepareImagic,
  problems,
  photoLatent: ({ tensors }) => tensors.photo,
  iterations: ({ settings: { embeddingSteps, tuningSteps } }) => embeddingSteps + tuningSteps,
  // There is no `reconstruction`, because it would take 2N more predictions.
  edit: ({ prepared, embeddings: { empty, target } }, { eta, guidance, seed }, key) => {
    const { photo, embedding } = prepared.tensors satisfies Record<ImagicTensor, Tensor>;
    const weights = prepared.settings.tuningSteps > 0 ? tunedUNet : undefined;
    const start = noise(photo.shape, seed);
    const sampled = (name: string, share: number) => {
      const terms = guidedBy(guidance, interpolated(share, embedding, target), empty);
      return { name, start, terms: () => terms.map((term) => ({ ...term, weights })) };
    };
    const reconstruction = sampled(`reconstruction, guidance ${guidance}, seed ${seed}`, 0);
    const edit = sampled(`edit${key}`, eta);
    return {
      processes: [reconstruction, edit],
      pictures: { reconstruction: reconstruction.name, edit: edit.name },
    };
  },
  sweepPoints: () => ({ points: [0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1].map((eta) => ({ eta })), columns: 4 }),
});
