// Loading a checkpoint in a browser.
// Knows of: everything above, and the browser.
// Does not know of: inversion and editing.
import { z } from "zod";
import { cancelledAs, checkArguments, isA, oneOf, someText, type Work, whole, workFields } from "../../core/index.ts";
import { precisionChoices } from "../../runtime/index.ts";
import { startEngine, type WebEngineOptions, webDevices } from "../../runtime/web/index.ts";
import { openFile, openHandle } from "../../storage/web/index.ts";
import { type ByteSource, type Folder, type OpenOptions, openCheckpoint, predictions } from "../../weights/index.ts";
import { openModel } from "../loader.ts";
import type { Model } from "../model.ts";
import { openPackageModel, webPlatform } from "./platform.ts";

export { webPlatform } from "./platform.ts";

export interface LoadModelOptions extends OpenOptions, Omit<WebEngineOptions, "signal">, Work {}

/**
 * A model to load: the name of one that ships with the package; a .safetensors file or a diffusers folder that the user chose;
 * or an open one.
 */
export type ModelPlace = string | File | FileSystemDirectoryHandle | Folder | ByteSource;

const isFile = (value: unknown): value is File => value instanceof File;
const isHandle = (value: unknown): value is FileSystemDirectoryHandle =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "directory";

const aPlace = isA<Exclude<ModelPlace, string>>(
  "a folder or file",
  (value) =>
    isFile(value) ||
    isHandle(value) ||
    (typeof value === "object" && value !== null && ("list" in value || "read" in value)),
);

/** The place of a model as an argument. */
export const aModelPlace = z.union([someText, aPlace], { error: "expected a name, a file or a folder" });

/** Opens the place of a model. Throws CheckpointError, StorageError if a file of the package cannot be fetched. */
export async function openPlace(place: ModelPlace, work: Work = {}): Promise<Folder | ByteSource> {
  if (typeof place === "string") return openPackageModel(place, work);
  if (isFile(place)) return openFile(place);
  return isHandle(place) ? openHandle(place) : place;
}
const loadArguments = z.object({
  place: aModelPlace,
  options: z.strictObject({
    ...workFields,
    prediction: oneOf(predictions).optional(),
    variant: someText.optional(),
    device: oneOf(webDevices).optional(),
    threads: whole(1, 64).optional(),
    precision: oneOf(precisionChoices).optional(),
    workerUrl: z.union([someText, isA<URL>("a URL", (value) => value instanceof URL)]).optional(),
    wasmPaths: z.union([someText, z.strictObject({ wasm: someText.optional(), mjs: someText.optional() })]).optional(),
    weightsInMemory: z.number().nonnegative().optional(),
    software: z.boolean().optional(),
  }),
});

/**
 * Loads a model: "menagerie", or a diffusers folder or .safetensors file that the user chose, or an open one. Starts the engine
 * in a Worker, and reads the model's files. Throws CheckpointError, DeviceError, StorageError if a file cannot be fetched, UsageError,
 * CancelledError.
 */
export async function loadModel(place: ModelPlace, options: LoadModelOptions = {}): Promise<Model> {
  checkArguments("loadModel", loadArguments, { place, options });
  return cancelledAs("loading the model", options.signal, () => load(place, options));
}

async function load(place: ModelPlace, options: LoadModelOptions): Promise<Model> {
  const { prediction, variant, onProgress, ...engine } = options;
  const work = { onProgress, signal: options.signal };
  return openModel(await openCheckpoint(await openPlace(place, work), { prediction, variant }), {
    name: typeof place === "string" ? place : place.name,
    platform: webPlatform(),
    startEngine: () => startEngine(engine),
    onProgress,
  });
}
