import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { getHFHubCachePath } from "@huggingface/hub";
import { CheckpointError, few } from "../../core/index.ts";
import type { Prediction } from "../../weights/index.ts";
import { openLocal } from "./files.ts";
import { modelsFolder, readRecord } from "./hub/install.ts";
import { bundledNames, fullName, isModelName, nameOfFolder, shortNames } from "./hub/names.ts";
import { kindOf, type ModelKind } from "./modelKind.ts";
import { packagePath } from "./package.ts";
import { isMissing, isTooManyFiles, storageError } from "./systemErrors.ts";

/** The kind of folder that holds a model. */
export type ModelPlace = "package" | "pulled" | "Hugging Face cache" | "path";

/** A model on this disk. Only the files that tell its kind were opened. */
export interface FoundModel {
  /** findModel finds it by this name. */
  readonly name: string;
  readonly kind: ModelKind;
  readonly place: ModelPlace;
  /** openLocal opens it. */
  readonly path: string;
  /** Of a pulled model: its commit on the hub, the variant of its weights, and what its U-Net predicts if the user said so. */
  readonly commit?: string;
  readonly variant?: string;
  readonly prediction?: Prediction;
}

/** Folders to search. */
export interface SearchPlaces {
  /** Models that ship with baret. Default: checkpoints/ of the package. */
  bundled?: string;
  /** Pulled models are in models/ of it. Default: the cache folder. */
  cache?: string;
  /** Hugging Face cache. Default: HF_HUB_CACHE, or hub/ of HF_HOME. */
  hubCache?: string;
}

/** True if findModel would find a path under this name. */
export const isModelPath = async (name: string): Promise<boolean> =>
  !(bundledNames as readonly string[]).includes(name) && (await look(name, name, "path")) !== undefined;

/**
 * Finds a model by its name or path. Searches, in this order: models that ship with baret, the path itself, pulled models,
 * the Hugging Face cache. A name may be a short name, or lack its owner. Throws CheckpointError with a list of known models
 * if there is no such model, or if several owners have one of this name.
 */
export async function findModel(name: string, places: SearchPlaces = {}): Promise<FoundModel> {
  const bundled = (bundledNames as readonly string[]).includes(name);
  if (!bundled) {
    const atPath = await look(name, name, "path");
    if (atPath) return atPath;
  }
  const models = await listModels(places);
  const full = fullName(name);
  const exact = models.find((model) => model.name === full);
  if (exact) return exact;
  const ending = models.filter((model) => model.name.endsWith(`/${full}`));
  const owners = new Set(ending.map((model) => model.name));
  if (owners.size === 1) return ending[0];
  throw notFound(name, [...owners], models);
}

/** Lists all models: those that ship with baret, then pulled ones, then those in the Hugging Face cache. */
export async function listModels(places: SearchPlaces = {}): Promise<FoundModel[]> {
  const { bundled = packagePath("checkpoints"), cache, hubCache = getHFHubCachePath() } = places;
  const found = await Promise.all([
    ...bundledNames.map((name) => look(name, join(bundled, name), "package")),
    ...(await pulled(modelsFolder(cache))),
    ...(await cached(hubCache)),
  ]);
  return found.filter((model) => model !== undefined);
}

/** Sorted names in a folder, without hidden ones. */
async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause) => {
    if (isMissing(cause)) return [];
    throw storageError("cannot be listed", folder, cause);
  });
  return names.filter((name) => !name.startsWith(".")).sort();
}

async function pulled(folder: string): Promise<Promise<FoundModel | undefined>[]> {
  return (await namesIn(folder)).map(async (entry) => {
    const path = join(folder, entry);
    const record = await readRecord(path);
    if (!record) return undefined;
    // A single file has a folder of its own. A CLIP model has its weights beside its configuration.
    const files = await namesIn(path);
    const single = files.includes("config.json") ? undefined : files.find((file) => file.endsWith(".safetensors"));
    const model = await look(nameOfFolder(entry), single ? join(path, single) : path, "pulled");
    return model && { ...record, ...model };
  });
}

async function cached(folder: string): Promise<Promise<FoundModel | undefined>[]> {
  const entries = (await namesIn(folder)).filter((entry) => entry.startsWith("models--"));
  return entries.map((entry) => look(nameOfFolder(entry.slice(8)), join(folder, entry), "Hugging Face cache"));
}

/** Returns the model at `path`. Undefined if nothing is there, or nothing that baret runs. */
async function look(name: string, path: string, place: ModelPlace): Promise<FoundModel | undefined> {
  const kind = await kindAt(path, place === "path");
  return kind && { name, kind, place, path };
}

/**
 * isGiven: the user gave this path. Then a file that cannot be read is an error, and any folder counts as a model, so that
 * openCheckpoint gives the reasons why it is none.
 */
async function kindAt(path: string, isGiven: boolean): Promise<ModelKind | undefined> {
  const skip = (error: Error): undefined => {
    if (isTooManyFiles(error.cause) || (isGiven && !isMissing(error.cause))) throw error;
  };
  const opened = await openLocal(path).catch(skip);
  if (!opened) return undefined;
  if (!("list" in opened)) return "single file";
  const kind = await kindOf(opened).catch((error: Error) => {
    if (isTooManyFiles(error.cause)) throw error;
  });
  return kind ?? (isGiven ? "diffusers folder" : undefined);
}

function notFound(name: string, owners: readonly string[], models: readonly FoundModel[]): CheckpointError {
  const where = JSON.stringify(name);
  if (owners.length > 1) {
    return new CheckpointError("several models have this name", {
      where,
      found: few(owners),
      advice: "Give the owner too: OWNER/NAME.",
    });
  }
  const known = models.map((model) => `${model.name} (${model.place})`);
  const pullable = isModelName(fullName(name)) && fullName(name).includes("/");
  return new CheckpointError("no such model", {
    where,
    found: few(known) || "no model",
    expected: "one of them, a folder, or a .safetensors file",
    advice: pullable
      ? `Fetch it with: baret pull ${name}`
      : `Fetch one with: baret pull OWNER/NAME, or by a short name (${Object.keys(shortNames).join(", ")}).`,
  });
}
