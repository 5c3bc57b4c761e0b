import type { LatentShapes } from "../../../diffusion/index.ts";
import { openWeightTuning } from "../../../tuning/index.ts";
import type { PrepareJob, TensorLayout } from "../../method.ts";
import type { Prepared } from "../../prepared/prepared.ts";
import { lossProblems, trainWeights, tunedSets } from "../../tunePhoto.ts";
import type { PrepareSettings } from "./options.ts";
import { type Patches, patchesOf } from "./patches.ts";

/**
 * photo: the photo's latent, [1, C, h, w]. caption: ĉ, the training prompt's embedding by the tuned text encoder, [1, L, D].
 * loss: the loss before each training step, [T].
 */
export type SineTensor = "photo" | "caption" | "loss";

export type SinePrepared = Prepared<PrepareSettings, SineTensor>;

type Job = PrepareJob<PrepareSettings, SineTensor>;

const networks = ["unet", "text"] as const;

/** PyTorch's default for AdamW, which the authors use. */
const WEIGHT_DECAY = 0.01;

export const tensorLayouts = (
  { tuningSteps }: PrepareSettings,
  { latent, embedding }: LatentShapes,
): Record<SineTensor, TensorLayout> => ({
  photo: { shape: [1, ...latent] },
  caption: { shape: [1, ...embedding] },
  loss: { shape: [tuningSteps], unset: true },
});

/** The first step encodes the photo. */
export const prepareSteps = ({ tuningSteps }: PrepareSettings): number => 1 + tuningSteps;

export const weightSets = ({ tuningSteps, patches }: PrepareSettings, done: number) =>
  tunedSets(networks, done - 1, tuningSteps, patches !== undefined);

export const photoScale = ({ patches }: PrepareSettings): number | undefined => patches;

export const problems = ({ tensors, progress }: SinePrepared): string[] =>
  lossProblems(tensors.loss, Math.max(0, progress.done - 1));

/**
 * Tunes U-Net θ and text encoder on one photo with one prompt (paper, eq. 3): θ̂ = argmin E‖n − ε̂(z_t, t, ĉ)‖². The tuned
 * text encoder is needed for ĉ alone, so only ĉ is kept of it.
 */
export async function prepareSine(job: Job): Promise<void> {
  const { model, picture, larger, prepared, signal } = job;
  if (!larger) return tune(job);
  const patches = patchesOf(model, picture, larger, prepared.settings, signal);
  // Patches pass through the VAE at each step, so it stays loaded.
  await model.programs.during(["vae"], () => tune(job, patches));
}

async function tune(job: Job, patches?: Patches): Promise<void> {
  const { model, picture, prepared, stepDone, signal } = job;
  const { settings, tensors, progress } = prepared;
  const { tuningSteps, tuningRate: learningRate, trainingBatch: batch, cleanLoss = patches ? 1 : 0 } = settings;
  const options = { networks, batch, weightDecay: WEIGHT_DECAY, positions: patches !== undefined, cleanLoss };
  // Loaded first, because it refuses what does not fit into memory.
  const tuning = await openWeightTuning(model, patches?.size ?? picture, options, signal);
  if (progress.done === 0) {
    tensors.photo.data.set((await model.encode(picture, signal)).data);
    await stepDone({ phase: "encode", done: 1, total: 1 });
  }
  const ids = model.tokensOfPrompt(settings.trainingPrompt ?? prepared.source!);
  await trainWeights(job, tuning, {
    phase: "fine-tune",
    before: 1,
    steps: tuningSteps,
    text: { ids },
    learningRate,
    views: patches?.views,
    more: patches?.grid,
    finish: async () => tensors.caption.data.set((await tuning.embed(ids, signal)).data),
  });
}
