import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { getHFHubCachePath } from "@huggingface/hub";
import { CheckpointError } from "../core/index.ts";
import { type ByteSource, type Folder, type Prediction, readJsonObject, snapshotOf } from "../weights/index.ts";
import { isMissing, isShortage, storageError } from "./failures.ts";
import { openLocal } from "./files.ts";
import { modelsFolder, readRecord } from "./hub/install.ts";
import { bundledNames, fullName, isModelName, nameOfFolder, shortNames } from "./hub/names.ts";
import { packagePath } from "./package.ts";

/** What opens it: openCheckpoint the first two, openModelFolder a CLIP. */
export type ModelKind = "diffusers folder" | "single file" | "CLIP";

/** Where it was found. */
export type ModelPlace = "package" | "pulled" | "Hugging Face cache" | "path";

/** A model on this disk. Nothing of it was opened but what says its kind. */
export interface FoundModel {
  /** What finds it again. */
  readonly name: string;
  readonly kind: ModelKind;
  readonly place: ModelPlace;
  /** For openLocal. */
  readonly path: string;
  /** Of a pulled model: the hub's commit, which weights were taken, and what was said of its U-Net's output. */
  readonly commit?: string;
  readonly variant?: string;
  readonly prediction?: Prediction;
}

/** Where to look; each has its default. */
export interface SearchPlaces {
  /** checkpoints/ of the package. */
  bundled?: string;
  /** Cache's folder; pulled models lie in its models/. */
  cache?: string;
  /** Hugging Face's: HF_HUB_CACHE, or hub/ of HF_HOME. */
  hubCache?: string;
}

/** Whether a model's name is the path of one, as `findModel` understands it. */
export const isModelPath = async (name: string): Promise<boolean> =>
  !(bundledNames as readonly string[]).includes(name) && (await look(name, name, "path")) !== undefined;

/**
 * The model that a user means: one that ships with baret, a folder or a file, a pulled model (by its short name, with or
 * without its owner), or one in the Hugging Face cache; looked for in this order. Throws CheckpointError, which lists
 * what there is, where it is none of them, or where a name without an owner fits several.
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

/** Every model in the known places: those of the package first, then pulled ones, then the Hugging Face cache. */
export async function listModels(places: SearchPlaces = {}): Promise<FoundModel[]> {
  const { bundled = packagePath("checkpoints"), cache, hubCache = getHFHubCachePath() } = places;
  const found = await Promise.all([
    ...bundledNames.map((name) => look(name, join(bundled, name), "package")),
    ...(await pulled(modelsFolder(cache))),
    ...(await cached(hubCache)),
  ]);
  return found.filter((model) => model !== undefined);
}

/** Names in a folder that are no hidden ones, sorted. */
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
    // A single file lies in a folder of its own.
    const [single] = (await namesIn(path)).filter((file) => file.endsWith(".safetensors"));
    const model = await look(nameOfFolder(entry), single ? join(path, single) : path, "pulled");
    return model && { ...record, ...model };
  });
}

async function cached(folder: string): Promise<Promise<FoundModel | undefined>[]> {
  const entries = (await namesIn(folder)).filter((entry) => entry.startsWith("models--"));
  return entries.map((entry) => look(nameOfFolder(entry.slice(8)), join(folder, entry), "Hugging Face cache"));
}

/** The model at `path`. Undefined where there is nothing, or nothing that baret runs. */
async function look(name: string, path: string, place: ModelPlace): Promise<FoundModel | undefined> {
  const kind = await kindAt(path, place === "path");
  return kind && { name, kind, place, path };
}

/**
 * meant: somebody gave this very path. Then a file that may not be read is an error, and an unclear folder is left for
 * openCheckpoint to refuse with its reasons.
 */
async function kindAt(path: string, meant: boolean): Promise<ModelKind | undefined> {
  const passOver = (error: Error): undefined => {
    if (isShortage(error.cause) || (meant && !isMissing(error.cause))) throw error;
  };
  const opened = await openLocal(path).catch(passOver);
  if (!opened) return undefined;
  if (!("list" in opened)) return "single file";
  const kind = await kindOf(opened).catch((error: Error) => {
    if (isShortage(error.cause)) throw error;
  });
  return kind ?? (meant ? "diffusers folder" : undefined);
}

async function kindOf(place: Folder): Promise<ModelKind | undefined> {
  const folder = await snapshotOf(place);
  const names = (await folder.list()).map((entry) => entry.name);
  if (names.includes("model_index.json") || names.includes("unet")) return "diffusers folder";
  if (!names.includes("config.json")) return undefined;
  const config: ByteSource = await folder.open("config.json");
  return (await readJsonObject(config)).model_type === "clip" ? "CLIP" : undefined;
}

function notFound(name: string, owners: readonly string[], models: readonly FoundModel[]): CheckpointError {
  const where = JSON.stringify(name);
  if (owners.length > 1) {
    return new CheckpointError("which model this is, is not clear", {
      where,
      found: owners.join(", "),
      advice: "Give its owner too.",
    });
  }
  const known = models.map((model) => `${model.name} (${model.place})`);
  const pullable = isModelName(fullName(name)) && fullName(name).includes("/");
  return new CheckpointError("no such model", {
    where,
    found: known.join(", ") || "no model at all",
    expected: "one of them, a folder, or a .safetensors file",
    advice: pullable
      ? `Fetch it with: baret pull ${name}`
      : `Fetch one with: baret pull OWNER/NAME, or by a short name (${Object.keys(shortNames).join(", ")}).`,
  });
}
