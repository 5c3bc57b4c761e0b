// Loading a checkpoint in a browser.
// Knows of: everything above, and the browser.
// Does not know of: inversion and editing.
import { z } from "zod";
import {
  cancelledAs,
  checkArguments,
  isA,
  oneOf,
  someText,
  type Warning,
  type Work,
  whole,
  workFields,
} from "../../core/index.ts";
import { precisionChoices } from "../../runtime/index.ts";
import { startEngine, type WebEngineOptions, webDevices } from "../../runtime/web/index.ts";
import { openFile, openHandle } from "../../storage/web/index.ts";
import { type ByteSource, type Folder, type OpenOptions, openCheckpoint, predictions } from "../../weights/index.ts";
import { openModel } from "../loader.ts";
import type { Model } from "../model.ts";
import { type NamedModelOptions, type OpenedFolder, openNamed } from "./openNamed.ts";
import { webPlatform } from "./platform.ts";

export { webPlatform } from "./platform.ts";

export interface LoadModelOptions extends OpenOptions, NamedModelOptions, Omit<WebEngineOptions, "signal">, Work {}

/**
 * A model to load: the name of one that ships with the package or that `modelsUrl` has; a .safetensors file or a diffusers folder
 * that the user chose; or an open one.
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

interface OpenedPlace extends Omit<OpenedFolder, "folder"> {
  readonly folder: Folder | ByteSource;
}

/** Opens the place of a model. Throws CheckpointError, StorageError if a file of the package cannot be fetched, CancelledError. */
export async function openPlace(
  place: ModelPlace,
  options: NamedModelOptions = {},
  work: Work = {},
): Promise<OpenedPlace> {
  if (typeof place === "string") return openNamed(place, options, work);
  if (isFile(place)) return { folder: openFile(place) };
  return { folder: isHandle(place) ? openHandle(place) : place };
}

const aUrl = z.union([someText, isA<URL>("a URL", (value) => value instanceof URL)]);
const loadArguments = z.object({
  place: aModelPlace,
  options: z.strictObject({
    ...workFields,
    prediction: oneOf(predictions).optional(),
    variant: someText.optional(),
    device: oneOf(webDevices).optional(),
    threads: whole(1, 64).optional(),
    precision: oneOf(precisionChoices).optional(),
    modelsUrl: aUrl.optional(),
    keep: z.boolean().optional(),
    maxKeptBytes: whole(0, Number.MAX_SAFE_INTEGER).optional(),
    workerUrl: aUrl.optional(),
    wasmPaths: z.union([someText, z.strictObject({ wasm: someText.optional(), mjs: someText.optional() })]).optional(),
    weightsInMemory: z.number().nonnegative().optional(),
    software: z.boolean().optional(),
  }),
});

/**
 * Loads a model: "menagerie" or one that `modelsUrl` has, by its name; or a diffusers folder or .safetensors file that the user
 * chose; or an open one. A model of a name is kept in the browser's storage: its download goes on where it stopped, and
 * later it needs no network. Starts the engine in a Worker, and reads the model's files. Throws CheckpointError,
 * DeviceError, StorageError if a file cannot be fetched, is damaged or, with `keep: true`, cannot be kept; UsageError,
 * CancelledError.
 */
export async function loadModel(place: ModelPlace, options: LoadModelOptions = {}): Promise<Model> {
  checkArguments("loadModel", loadArguments, { place, options });
  return cancelledAs("loading the model", options.signal, () => load(place, options));
}

async function load(place: ModelPlace, options: LoadModelOptions): Promise<Model> {
  const { prediction, variant, onProgress, modelsUrl, keep, maxKeptBytes, ...engine } = options;
  const named = { modelsUrl, keep, maxKeptBytes };
  const { folder, notKept } = await openPlace(place, named, { onProgress, signal: options.signal });
  const checkpoint = await openCheckpoint(folder, { prediction, variant });
  const warnings = notKept ? [notKeptWarning(notKept)] : [];
  return openModel(
    { ...checkpoint, warnings: [...checkpoint.warnings, ...warnings] },
    {
      name: typeof place === "string" ? place : place.name,
      platform: webPlatform(named),
      startEngine: () => startEngine(engine),
      onProgress,
    },
  );
}

function notKeptWarning({ message }: Error): Warning {
  const [reason] = message.split("\n");
  const text = `the browser does not keep the model, so that it is downloaded each time: ${reason}`;
  return { code: "not-kept", message: text.replace(/\.$/, "") };
}
