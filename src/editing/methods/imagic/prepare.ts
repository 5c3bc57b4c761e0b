import { row } from "../../../core/index.ts";
import type { LatentShapes } from "../../../diffusion/index.ts";
import { Adam } from "../../../inversion/index.ts";
import { openEmbeddingLoss, openWeightTuning } from "../../../tuning/index.ts";
import type { PrepareJob, TensorLayout } from "../../method.ts";
import type { Prepared } from "../../prepared/prepared.ts";
import { lossProblems, train, trainWeights, tunedSets } from "../../tunePhoto.ts";
import type { PrepareSettings } from "./options.ts";

/**
 * photo: the photo's latent, [1, C, h, w]. embedding: e_opt, [1, L, D]. moments: Adam's moments of it, [2, L, D]. loss: the
 * loss before each training step of stage A, then of stage B, [A + B].
 */
export type ImagicTensor = "photo" | "embedding" | "moments" | "loss";

export type ImagicPrepared = Prepared<PrepareSettings, ImagicTensor>;

type Job = PrepareJob<PrepareSettings, ImagicTensor>;

export const tensorLayouts = (
  { embeddingSteps, tuningSteps }: PrepareSettings,
  { latent, embedding }: LatentShapes,
): Record<ImagicTensor, TensorLayout> => ({
  photo: { shape: [1, ...latent] },
  embedding: { shape: [1, ...embedding] },
  moments: { shape: [2, ...embedding] },
  loss: { shape: [embeddingSteps + tuningSteps], unset: true },
});

/** The first step encodes the photo. */
export const prepareSteps = ({ embeddingSteps, tuningSteps }: PrepareSettings): number =>
  1 + embeddingSteps + tuningSteps;

export const weightSets = ({ embeddingSteps, tuningSteps }: PrepareSettings, done: number) =>
  tunedSets(["unet"], done - 1 - embeddingSteps, tuningSteps);

export const problems = ({ tensors, progress }: ImagicPrepared): string[] =>
  lossProblems(tensors.loss, Math.max(0, progress.done - 1));

/** Stages A and B of the paper's §3.2. */
export async function prepareImagic(job: Job): Promise<void> {
  const { model, picture, prepared, embeddings, stepDone, signal } = job;
  const { settings, tensors, progress } = prepared;
  const { embeddingSteps, tuningSteps, tuningRate: learningRate, trainingBatch: batch } = settings;
  // Loaded first, because it refuses what does not fit into memory.
  const options = { networks: ["unet"], batch, weightDecay: 0 } as const;
  const tuning = tuningSteps > 0 ? await openWeightTuning(model, picture, options, signal) : undefined;
  if (progress.done === 0) {
    tensors.photo.data.set((await model.encode(picture, signal)).data);
    tensors.embedding.data.set(embeddings.target.data);
    await stepDone({ phase: "encode", done: 1, total: 1 });
  }
  await tuneEmbedding(job);
  if (!tuning) return;
  const text = { context: tensors.embedding };
  const phase = { phase: "fine-tune", before: 1 + embeddingSteps, steps: tuningSteps };
  await trainWeights(job, tuning, { ...phase, text, learningRate });
}

/** Stage A: e_opt = argmin over e of E‖n − ε(z_t, t, e)‖², from the target's embedding on (paper, eq. 2). */
async function tuneEmbedding(job: Job): Promise<void> {
  const { model, picture, prepared, signal } = job;
  const { settings, tensors, progress } = prepared;
  const { embeddingSteps: steps, embeddingRate, trainingBatch } = settings;
  const done = progress.done - 1;
  if (done >= steps) return;
  const loss = await openEmbeddingLoss(model, picture, trainingBatch, signal);
  await model.arithmetic.during(async (math) => {
    const adam = await new Adam(tensors.moments, done).begin(math);
    let [embedding] = await math.put([row(tensors.embedding, 0)]);
    await train(job, {
      phase: "tune embedding",
      before: 1,
      steps,
      step: async (_, examples) => {
        const { loss: value, gradient } = await loss.at(math, embedding, examples);
        const before = embedding;
        embedding = await adam.step(embedding, gradient, embeddingRate);
        math.release(gradient, before);
        return value;
      },
      save: async () => {
        tensors.embedding.data.set((await math.read([embedding]))[0].data);
        await adam.end();
      },
    });
  }, signal);
}
