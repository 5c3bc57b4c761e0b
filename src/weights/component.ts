import { CheckpointError, few, listed, shown } from "../core/index.ts";
import { pickleError } from "./fileKind.ts";
import { isObject, readJsonObject } from "./json.ts";
import { readSafetensors } from "./safetensors.ts";
import { type Folder, filesOf } from "./source.ts";
import type { TensorRef } from "./tensor-ref.ts";

/** A component's config.json, word for word. What it means is for the model that is built from it to say. */
export type Config = Readonly<Record<string, unknown>>;

/** One network of a checkpoint: what it is, and where its weights lie under the names that diffusers gives them. */
export interface Component {
  readonly config: Config;
  readonly weights: ReadonlyMap<string, TensorRef>;
  /** What the user's file calls a weight, also one that is not there. Absent: as its key. */
  readonly nameInFile?: (key: string) => string;
}

/** What diffusers and transformers call the weight file in each component's folder. */
export const weightStems = {
  unet: "diffusion_pytorch_model",
  vae: "diffusion_pytorch_model",
  text_encoder: "model",
} as const;

/** The components of a model that have weights. */
export type ComponentName = keyof typeof weightStems;
export const componentNames = Object.keys(weightStems) as ComponentName[];

/** Refused by their names alone: reading one would run the program inside. */
export const PICKLE_FILE = /\.(bin|ckpt|pt|pth)$/;

/**
 * A component of a folder: its config.json and the safetensors beside it. `stem` is what diffusers calls the weight
 * file: "diffusion_pytorch_model" or "model". Shards are put together by their index; `variant` picks one of
 * `stem.fp16.safetensors` and the like, and without it the plain file is taken, or the only one there is.
 */
export async function readComponent(folder: Folder, stem: string, variant?: string): Promise<Component> {
  const config = await readJsonObject(await folder.open("config.json"));
  return { config, weights: await readWeights(folder, stem, variant) };
}

async function readWeights(folder: Folder, stem: string, variant?: string): Promise<Map<string, TensorRef>> {
  const chosen = chooseWeights(folder.name, await filesOf(folder), stem, variant);
  if (chosen.endsWith(".safetensors")) return new Map((await readSafetensors(await folder.open(chosen))).tensors);
  return readShards(folder, chosen);
}

/**
 * Which of a component's files holds its weights: `stem.safetensors`, or the index of shards; with a variant, that
 * one's, and without one the plain file or the only one there is. Throws CheckpointError where there is none, or where
 * the choice is not clear. `where` is what errors call the folder.
 */
export function chooseWeights(where: string, files: readonly string[], stem: string, variant?: string): string {
  const found = variantsAmong(files, stem);
  const only = variant === undefined && found.size === 1 ? [...found.values()][0] : undefined;
  const chosen = found.get(variant ?? "") ?? only;
  if (chosen === undefined) throw noWeights(where, stem, files, [...found.values()], variant);
  return chosen;
}

/**
 * Which variant to take of each component, given the names of its files: of one that does not come in the variant that
 * is asked for, the plain file, as diffusers does. Where no component comes in it, it stays, for chooseWeights to refuse.
 */
export function variantOfEach(
  files: Readonly<Record<ComponentName, readonly string[]>>,
  variant: string | undefined,
): Record<ComponentName, string | undefined> {
  const found = componentNames.map((name) => [name, variantsAmong(files[name], weightStems[name])] as const);
  const known = variant !== undefined && found.some(([, variants]) => variants.has(variant));
  const each = found.map(([name, variants]) => {
    const fallsBack = known && !variants.has(variant) && variants.has("");
    return [name, fallsBack ? undefined : variant];
  });
  return Object.fromEntries(each);
}

/** The weight files of a component by their variants, "" for the plain one. */
function variantsAmong(files: readonly string[], stem: string): Map<string, string> {
  const named = files.map((file) => [variantOf(file, stem), file] as const);
  return new Map(named.filter((entry): entry is readonly [string, string] => entry[0] !== undefined));
}

/** "" for the plain file, "fp16" for `stem.fp16.safetensors`; the same for the index of shards. Else undefined. */
function variantOf(file: string, stem: string): string | undefined {
  if (!file.startsWith(`${stem}.`)) return undefined;
  const rest = file.slice(stem.length);
  const match =
    /^(?:\.(?<single>\w+))?\.safetensors$/.exec(rest) ??
    /^(?:\.(?<single>\w+))?\.safetensors\.index\.json$/.exec(rest) ??
    /^\.safetensors\.index\.(?<single>\w+)\.json$/.exec(rest);
  return match ? (match.groups?.single ?? "") : undefined;
}

function noWeights(
  where: string,
  stem: string,
  files: readonly string[],
  found: readonly string[],
  variant?: string,
): CheckpointError {
  const wanted = `${stem}${variant ? `.${variant}` : ""}.safetensors`;
  if (found.length) {
    const problem = variant ? `no weights of the variant "${variant}"` : "which weights to take is not clear";
    const advice = variant
      ? "Give a variant that is there, or none (--variant)."
      : "Choose one with the variant option (--variant).";
    return new CheckpointError(problem, { where, found: few(found), expected: wanted, advice });
  }
  const pickles = files.filter((f) => PICKLE_FILE.test(f));
  if (pickles.length) return pickleError(where, few(pickles));
  return new CheckpointError("no weights", { where, found: few(files) || "an empty folder", expected: wanted });
}

/** Weights cut into several files, put together as the index says. Every key must lie where it says, and no other. */
async function readShards(folder: Folder, indexFile: string): Promise<Map<string, TensorRef>> {
  const source = await folder.open(indexFile);
  const where = source.name;
  const { weight_map: map } = await readJsonObject(source);
  if (!isObject(map)) throw new CheckpointError('"weight_map" is not an object', { where });
  const shards = new Map<string, ReadonlyMap<string, TensorRef>>();
  const problems: string[] = [];
  for (const file of new Set(Object.values(map))) {
    if (typeof file !== "string" || !/^[^/\\]+\.safetensors$/.test(file)) {
      problems.push(`${shown(file)} is not the name of a shard`);
    } else {
      shards.set(file, (await readSafetensors(await folder.open(file))).tensors);
    }
  }
  const weights = new Map<string, TensorRef>();
  for (const [key, file] of Object.entries(map)) {
    const ref = typeof file === "string" ? shards.get(file)?.get(key) : undefined;
    if (ref) weights.set(key, ref);
    else problems.push(`${shown(key)}: not in ${shown(file)}`);
  }
  for (const [file, tensors] of shards) {
    for (const key of tensors.keys()) {
      if (map[key] !== file) problems.push(`${shown(key)}: in ${file}, but the index does not say so`);
    }
  }
  if (problems.length) throw new CheckpointError(`index and shards disagree\n${listed(problems)}`, { where });
  return weights;
}
