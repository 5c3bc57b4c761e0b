import { option, type Tensor, whole } from "../core/index.ts";
import {
  drawExamples,
  type Examples,
  stateSets,
  type TrainingText,
  type TunedNetwork,
  type View,
  type WeightTuning,
} from "../tuning/index.ts";
import type { WeightSet } from "../weights/index.ts";
import type { PrepareJob, SetNetwork } from "./method.ts";

/** Options of methods that tune on examples of the photo (src/tuning/examples.ts). */
export const trainingOptions = {
  trainingBatch: option(whole(1, 64).default(1), {
    about: "examples of the photo, each with noise of its own, in a training step",
    value: "<n>",
  }),
  trainingSeed: option(whole(0, Number.MAX_SAFE_INTEGER).default(0), {
    about: "seed of the timesteps and the noise of training",
    value: "<n>",
  }),
  saveEvery: option(whole(1, 100_000).default(50), {
    about: "training steps between two saves of the unfinished state",
    value: "<n>",
  }),
};

/** Settings of `trainingOptions`. */
export interface TrainingSettings {
  readonly trainingBatch: number;
  readonly trainingSeed: number;
  readonly saveEvery: number;
}

/** Name of the set of weights of the tuned U-Net. */
export const tunedUNet = "unet";

/**
 * Returns the sets of weights of a value after `done` of `steps` steps of tuning weights: at first none, then the state of all
 * networks, at the end the U-Net's weights alone. positions: the tuned U-Net has a grid of positions.
 */
export function tunedSets(
  networks: readonly TunedNetwork[],
  done: number,
  steps: number,
  positions = false,
): Readonly<Record<string, SetNetwork>> {
  if (done <= 0) return {};
  if (done < steps) return stateSets(networks);
  return { [tunedUNet]: positions ? "unet with positions" : "unet" };
}

type Job<S extends TrainingSettings> = Pick<
  PrepareJob<S, "photo" | "loss">,
  "model" | "prepared" | "stepDone" | "report" | "signal"
>;

/** Training steps of one phase. */
export interface TrainingPhase {
  /** Name in progress. */
  readonly phase: string;
  /** Number of steps of `prepare` before the phase. */
  readonly before: number;
  readonly steps: number;
  /** Returns the pictures of the examples of training step k, counted over all phases. Default: the photo. */
  views?(k: number): Promise<readonly View[]>;
  /** Takes training step k of the phase, counted from 0. Returns the loss before it. */
  step(k: number, examples: Examples): Promise<number>;
  /** Writes the state after `done` steps into the prepared value. */
  save(done: number): Promise<void>;
}

/**
 * Runs the steps of a phase, from the first one that is not done. Each has its own examples, of `photo`, the photo's latent,
 * or of `views`, and an entry of `loss`. Saves every `saveEvery` steps and after the last one.
 */
export async function train<S extends TrainingSettings>(
  { model, prepared, stepDone, report }: Job<S>,
  { phase, before, steps, step, save, views }: TrainingPhase,
): Promise<void> {
  const { tensors, settings, progress } = prepared;
  const { saveEvery, trainingBatch: batch, trainingSeed: seed } = settings;
  const { scheduler } = model.checkpoint;
  const photo = Array<View>(batch).fill({ latent: tensors.photo });
  // The first step of every method's `prepare` encodes the photo and trains nothing.
  const trained = before - 1;
  let saved = progress.done - before;
  await model.programs.equalSteps(saved, steps, async (k) => {
    const shown = (await views?.(trained + k)) ?? photo;
    const loss = await step(k, drawExamples({ views: shown, scheduler, seed }, trained + k));
    tensors.loss.data[trained + k] = loss;
    const now = { phase, done: k + 1, total: steps, loss };
    if ((k + 1) % saveEvery !== 0 && k + 1 < steps) report(now);
    else {
      await save(k + 1);
      await stepDone(now, k + 1 - saved);
      saved = k + 1;
    }
  });
}

/** Text and learning rate of tuning weights. */
export interface WeightPhase extends Pick<TrainingPhase, "phase" | "before" | "steps" | "views"> {
  readonly text: TrainingText;
  readonly learningRate: number;
  /** Weights to keep with those of the tuned U-Net. Default: none. */
  readonly more?: WeightSet;
  /** Called and awaited after the last step, while the tuned weights are still in the engine. */
  finish?(): Promise<void>;
}

/** Tunes weights, and leaves those of the U-Net in the prepared value. Throws as WeightTuning. */
export async function trainWeights<S extends TrainingSettings>(
  job: Job<S>,
  tuning: WeightTuning,
  { text, learningRate, more = new Map(), finish, ...phase }: WeightPhase,
): Promise<void> {
  const { prepared, signal } = job;
  const done = prepared.progress.done - phase.before;
  if (done >= phase.steps) return;
  try {
    await tuning.start(done > 0 ? prepared.weights : undefined, signal);
    await train(job, {
      ...phase,
      step: (k, examples) => tuning.step(k + 1, learningRate, text, examples, signal),
      save: async (k) => {
        if (k < phase.steps) prepared.weights = tuning.sets();
        else {
          await finish?.();
          prepared.weights = { [tunedUNet]: new Map([...(await tuning.weights("unet")), ...more]) };
        }
      },
    });
  } finally {
    tuning.release();
  }
}

/** Lists losses that training cannot have left in a value, one problem a line. */
export function lossProblems({ data }: Tensor, trained: number): string[] {
  const at = data.findIndex((x, k) => (k < trained ? !(x >= 0) : !Number.isNaN(x)));
  return at < 0 ? [] : [`"loss": found ${data[at]} at ${at}, with ${trained} steps trained`];
}
