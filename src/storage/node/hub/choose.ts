import { CheckpointError, few } from "../../../core/index.ts";
import {
  type ByteSource,
  chooseWeights,
  componentNames,
  isObject,
  readJsonObject,
  variantOfEach,
  weightStems,
} from "../../../weights/index.ts";

const tokenizer = [
  "vocab.json",
  "merges.txt",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
];

/** The files of a repository or a folder that baret needs. */
export interface ModelFiles {
  /** Configurations, vocabulary and shard indices. */
  readonly small: readonly string[];
  /** For each network a safetensors file, or the index that names its shards. Indices are in `small` too. */
  readonly weights: readonly string[];
}

/**
 * Chooses the files that Stable Diffusion needs: one variant of the weights as safetensors, configurations and vocabulary.
 * Pickles, other formats and safety checkers are skipped. Throws one CheckpointError that lists everything missing.
 * where: name of the repository or folder in errors. paths: all its files, relative to it.
 */
export function choosePipeline(where: string, paths: readonly string[], variant?: string): ModelFiles {
  const has = (path: string): boolean => paths.includes(path);
  const within = (folder: string): string[] =>
    paths.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1));
  refuseSingleFiles(where, paths);

  const problems: string[] = [];
  const weights: string[] = [];
  const files = { unet: within("unet"), vae: within("vae"), text_encoder: within("text_encoder") };
  const variants = variantOfEach(files, variant);
  for (const name of componentNames) {
    try {
      weights.push(`${name}/${chooseWeights(`${name}/`, files[name], weightStems[name], variants[name])}`);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      problems.push(error.message.replaceAll("\n", " ").replace(/\.$/, ""));
    }
  }
  const configs = [...componentNames.map((c) => `${c}/config.json`), "scheduler/scheduler_config.json"];
  for (const path of configs) if (!has(path)) problems.push(`${path}: missing`);
  const words = tokenizer.filter((file) => has(`tokenizer/${file}`));
  if (!words.includes("tokenizer.json") && !(words.includes("vocab.json") && words.includes("merges.txt"))) {
    problems.push("tokenizer/: missing vocab.json and merges.txt, or tokenizer.json");
  }
  if (problems.length) {
    throw new CheckpointError(`not a Stable Diffusion model that baret can use\n  ${problems.join("\n  ")}`, {
      where,
    });
  }
  const optional = ["model_index.json", "editing.json", "words.json"].filter(has);
  const small = [...optional, ...configs, ...words.map((file) => `tokenizer/${file}`), ...indicesOf(weights)];
  return { small, weights };
}

/**
 * Chooses the files that a CLIP model needs: one variant of the weights as safetensors, configuration, preprocessing and
 * vocabulary. Throws one CheckpointError that lists everything missing. where, paths: as in `choosePipeline`.
 */
export function chooseClip(where: string, paths: readonly string[], variant?: string): ModelFiles {
  const own = paths.filter((path) => !path.includes("/"));
  const advice =
    "If a pull request of the repository adds model.safetensors (its page Community lists them), give it: " +
    `--revision refs/pr/NUMBER. Or convert the model in Python, with save_pretrained("FOLDER") of its CLIPModel and its ` +
    `CLIPProcessor, and run: baret pull ${where} --from FOLDER`;
  const weights = chooseWeights(where, own, weightStems.text_encoder, variant, advice);
  const configs = ["config.json", "preprocessor_config.json"];
  const missing = configs.filter((path) => !own.includes(path));
  if (missing.length > 0) {
    throw new CheckpointError("not a CLIP model that baret can use", {
      where,
      found: few(own),
      expected: `also ${missing.join(", ")}`,
    });
  }
  // Without a tokenizer of its own, the model has CLIP's.
  const words = tokenizer.filter((file) => own.includes(file));
  return { small: [...configs, ...words, ...indicesOf([weights])], weights: [weights] };
}

/** Returns those weight files that are indices of shards. */
const indicesOf = (weights: readonly string[]): string[] => weights.filter((path) => path.endsWith(".json"));

/** Throws CheckpointError if a repository holds checkpoints as single files only. */
function refuseSingleFiles(where: string, paths: readonly string[]): void {
  const single = paths.filter((path) => /^[^/]+\.safetensors$/.test(path));
  if (single.length === 0 || paths.some((path) => path.startsWith("unet/"))) return;
  throw new CheckpointError("not a diffusers model, but single files", {
    where,
    found: single.slice(0, 10).join(", "),
    expected: "unet/, vae/, text_encoder/, tokenizer/, scheduler/",
    advice: "Download one of them and install that file.",
  });
}

/** Paths of all safetensors files, including the shards that indices name. open: opens an index. */
export async function weightFiles(
  { weights }: ModelFiles,
  paths: readonly string[],
  open: (path: string) => Promise<ByteSource>,
): Promise<string[]> {
  const files = weights.map(async (path) =>
    path.endsWith(".safetensors") ? [path] : shardsOf(await readJsonObject(await open(path)), path, paths),
  );
  return (await Promise.all(files)).flat();
}

/** Paths of the shards that an index names. Throws CheckpointError if one of them is not in `paths`. */
function shardsOf(index: Record<string, unknown>, indexPath: string, paths: readonly string[]): string[] {
  const { weight_map: map } = index;
  if (!isObject(map)) throw new CheckpointError('"weight_map" is not an object', { where: indexPath });
  const folder = indexPath.slice(0, indexPath.lastIndexOf("/") + 1);
  const shards = [...new Set(Object.values(map))].map((file) => `${folder}${file}`);
  const missing = shards.filter((path) => !path.endsWith(".safetensors") || !paths.includes(path));
  if (missing.length) {
    const found = missing.slice(0, 10).map((path) => JSON.stringify(path));
    throw new CheckpointError("the index names shards that do not exist", {
      where: indexPath,
      found: found.join(", "),
    });
  }
  return shards;
}
