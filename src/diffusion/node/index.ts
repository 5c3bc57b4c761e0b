// Loading a checkpoint in Node.
// Knows of: everything above, and Node.
// Does not know of: inversion and editing.
import { z } from "zod";
import { cancelledAs, checkArguments, isA, oneOf, someText, type Work, whole, workFields } from "../../core/index.ts";
import { devices, engineChoice, linearChoices, precisionChoices } from "../../runtime/index.ts";
import { mostThreads, type NodeEngineOptions, startEngine } from "../../runtime/node/index.ts";
import type { Cache } from "../../storage/index.ts";
import { findModel, openLocal } from "../../storage/node/index.ts";
import { type Checkpoint, type OpenOptions, openCheckpoint, predictions } from "../../weights/index.ts";
import { dryRun } from "../dryRun.ts";
import { openModel } from "../loader.ts";
import type { Model } from "../model.ts";
import { nodePlatform } from "./platform.ts";

export { nodePlatform } from "./platform.ts";

export interface LoadModelOptions extends OpenOptions, Omit<NodeEngineOptions, "signal">, Work {}

const aCache = isA<Cache>(
  "a cache, with a function acquire",
  (value) => typeof (value as Partial<Cache> | null)?.acquire === "function",
);
const loadArguments = z.object({
  name: someText,
  options: z.strictObject({
    ...workFields,
    prediction: oneOf(predictions).optional(),
    variant: someText.optional(),
    device: oneOf(devices).optional(),
    threads: whole(1, mostThreads()).optional(),
    precision: oneOf(precisionChoices).optional(),
    linear: oneOf(linearChoices).optional(),
    cache: aCache.optional(),
  }),
});

/**
 * Loads a model: "menagerie", the name of a pulled one or of one in the Hugging Face cache, a diffusers folder, or a
 * single .safetensors file. Starts the engine and reads configurations and headers; weights are mapped when a program first
 * needs them. Throws CheckpointError, DeviceError or UsageError.
 */
export async function loadModel(name: string, options: LoadModelOptions = {}): Promise<Model> {
  checkArguments("loadModel", loadArguments, { name, options });
  return cancelledAs("loading the model", options.signal, () => load(name, options));
}

/** Finds a model and opens its checkpoint. Throws CheckpointError. */
export async function findCheckpoint(
  given: string,
  options: OpenOptions,
): Promise<{ readonly name: string; readonly checkpoint: Checkpoint }> {
  const { path, name, ...found } = await findModel(given);
  const checkpoint = await openCheckpoint(await openLocal(path), {
    variant: options.variant ?? found.variant,
    prediction: options.prediction ?? found.prediction,
  });
  return { name, checkpoint };
}

async function load(given: string, options: LoadModelOptions): Promise<Model> {
  const { cache, signal, onProgress } = options;
  const { name, checkpoint } = await findCheckpoint(given, options);
  return openModel(checkpoint, {
    name,
    platform: nodePlatform,
    startEngine: () => startEngine({ ...engineChoice(options), cache, signal }),
    onProgress,
  });
}

/**
 * Estimates the most memory of the engine at any moment while `use` works with the model, in bytes. Computes nothing and reads
 * no weight. Throws CheckpointError if the parts of the checkpoint do not belong together, and what `use` throws.
 */
export const peakMemory = async (checkpoint: Checkpoint, use: (model: Model) => Promise<unknown>): Promise<number> =>
  (await dryRun(checkpoint, nodePlatform, use)).memory;
