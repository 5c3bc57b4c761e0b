import { CheckpointError, few, listed, shown } from "../core/index.ts";
import { pickleError } from "./fileKind.ts";
import { isObject, readJsonObject } from "./json.ts";
import { readSafetensors } from "./safetensors.ts";
import { type Folder, filesOf } from "./source.ts";
import type { TensorRef } from "./tensor-ref.ts";

/** A component's config.json, unchanged. The model that is built from it checks the fields. */
export type Config = Readonly<Record<string, unknown>>;

/** One network of a checkpoint: its configuration, and the places of its weights by diffusers' names. */
export interface Component {
  readonly config: Config;
  readonly weights: ReadonlyMap<string, TensorRef>;
  /** Returns the name of a weight in the user's file, also of one that is not there. Absent: the key itself. */
  readonly nameInFile?: (key: string) => string;
}

/** Name of the weight file in each component's folder, without its extension, as diffusers and transformers write it. */
export const weightStems = {
  unet: "diffusion_pytorch_model",
  vae: "diffusion_pytorch_model",
  text_encoder: "model",
} as const;

/** The components of a model that have weights. */
export type ComponentName = keyof typeof weightStems;
export const componentNames = Object.keys(weightStems) as ComponentName[];

/** Names of Python pickles, which are refused unread: reading one runs the program inside. */
export const PICKLE_FILE = /\.(bin|ckpt|pt|pth)$/;

/**
 * Reads a component from its folder: config.json and the safetensors beside it. `stem` is the weight file's name without
 * its extension: "diffusion_pytorch_model" or "model". Shards are joined by their index. `variant` chooses
 * `stem.fp16.safetensors` and the like; without it the plain file is taken, or the only one.
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
 * Chooses the file with a component's weights: `stem.safetensors` or the index of its shards, of the given variant, or
 * else the plain one or the only one. Throws CheckpointError if there is none, or if several could be meant. `where` names
 * the folder in errors. pickleAdvice: what to do if there are pickles only, if it is more than usual.
 */
export function chooseWeights(
  where: string,
  files: readonly string[],
  stem: string,
  variant?: string,
  pickleAdvice?: string,
): string {
  const found = variantsAmong(files, stem);
  const only = variant === undefined && found.size === 1 ? [...found.values()][0] : undefined;
  const chosen = found.get(variant ?? "") ?? only;
  if (chosen === undefined) {
    const pickles = files.filter((file) => PICKLE_FILE.test(file));
    if (found.size === 0 && pickles.length > 0) throw pickleError(where, few(pickles), pickleAdvice);
    throw noWeights(where, stem, files, [...found.values()], variant);
  }
  return chosen;
}

/**
 * Chooses the variant of each component, given the names of its files. A component without the variant that is asked for
 * gives its plain file, as in diffusers, if another component has the variant. If none has it, chooseWeights refuses it.
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

/** Returns the weight files of a component by their variants, "" for the plain one. */
function variantsAmong(files: readonly string[], stem: string): Map<string, string> {
  const named = files.map((file) => [variantOf(file, stem), file] as const);
  return new Map(named.filter((entry): entry is readonly [string, string] => entry[0] !== undefined));
}

/** Variant of a weight file or an index of shards: "" for the plain one, "fp16" for `stem.fp16.safetensors`. */
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
    const problem = variant ? `no weights of the variant "${variant}"` : "several files could hold the weights";
    const advice = variant
      ? "Set the option variant to one that is there, or to none."
      : "Choose one with the option variant.";
    return new CheckpointError(problem, { where, found: few(found), expected: wanted, advice });
  }
  return new CheckpointError("no weights", { where, found: few(files) || "an empty folder", expected: wanted });
}

/** Joins the shards that an index names. Throws CheckpointError if a key is not in the file that the index says. */
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
  if (problems.length)
    throw new CheckpointError(
      `the index of the shards does not fit them, download the model again\n${listed(problems)}`,
      { where },
    );
  return weights;
}
