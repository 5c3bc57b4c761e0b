// Loading a checkpoint in a browser.
// Knows of: everything above, and the browser.
// Does not know of: inversion and editing.
import { z } from "zod";
import { cancelledAs, checkArguments, isA, oneOf, someText, type Work, whole, workFields } from "../../core/index.ts";
import { startEngine, type WebEngineOptions } from "../../runtime/web/index.ts";
import { type ByteSource, type Folder, type OpenOptions, openCheckpoint, predictions } from "../../weights/index.ts";
import { openModel } from "../loader.ts";
import type { Model } from "../model.ts";
import { openPackageModel, webPlatform } from "./platform.ts";

export interface LoadModelOptions extends OpenOptions, Omit<WebEngineOptions, "signal">, Work {}

/** A model to load: the name of one that ships with the package, or an open diffusers folder or .safetensors file. */
export type ModelPlace = string | Folder | ByteSource;

const aPlace = isA<Folder | ByteSource>(
  "an open folder or file",
  (value) => typeof value === "object" && value !== null && ("list" in value || "read" in value),
);
const loadArguments = z.object({
  place: z.union([someText, aPlace], { error: "expected a name, or an open folder or file" }),
  options: z.strictObject({
    ...workFields,
    prediction: oneOf(predictions).optional(),
    variant: someText.optional(),
    device: oneOf(["cpu", "webgpu"]).optional(),
    threads: whole(1, 64).optional(),
    workerUrl: z.union([someText, isA<URL>("a URL", (value) => value instanceof URL)]).optional(),
    wasmPaths: z.union([someText, z.strictObject({ wasm: someText.optional(), mjs: someText.optional() })]).optional(),
    software: z.boolean().optional(),
  }),
});

/**
 * Loads a model: "menagerie", an open diffusers folder, or an open .safetensors file. Starts the engine in a Worker, and
 * fetches the model's files. Throws CheckpointError, DeviceError, StorageError if a file cannot be fetched, UsageError,
 * CancelledError.
 */
export async function loadModel(place: ModelPlace, options: LoadModelOptions = {}): Promise<Model> {
  checkArguments("loadModel", loadArguments, { place, options });
  return cancelledAs("loading the model", options.signal, () => load(place, options));
}

async function load(place: ModelPlace, options: LoadModelOptions): Promise<Model> {
  const { prediction, variant, onProgress, ...engine } = options;
  const work = { onProgress, signal: options.signal };
  const opened = typeof place === "string" ? await openPackageModel(place, work) : place;
  return openModel(await openCheckpoint(opened, { prediction, variant }), {
    name: typeof place === "string" ? place : place.name,
    platform: webPlatform(),
    startEngine: () => startEngine(engine),
    onProgress,
  });
}
