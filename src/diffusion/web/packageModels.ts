/** A folder of the package as a bundler places it: each file has a URL of its own. */
export interface PackageFolder {
  /** The list of its files, files.json. `node tools/fileLists.mjs` writes it. */
  readonly list: URL;
  /** Its files by their paths. */
  readonly urls: Readonly<Record<string, URL>>;
}

// A bundler finds files by exactly this form: new URL("...", import.meta.url). So each file has a line of its own.

const menagerie: PackageFolder = {
  list: new URL("../../../checkpoints/menagerie/files.json", import.meta.url),
  urls: {
    "editing.json": new URL("../../../checkpoints/menagerie/editing.json", import.meta.url),
    "model_index.json": new URL("../../../checkpoints/menagerie/model_index.json", import.meta.url),
    "scheduler/scheduler_config.json": new URL(
      "../../../checkpoints/menagerie/scheduler/scheduler_config.json",
      import.meta.url,
    ),
    "text_encoder/config.json": new URL("../../../checkpoints/menagerie/text_encoder/config.json", import.meta.url),
    "text_encoder/model.safetensors": new URL(
      "../../../checkpoints/menagerie/text_encoder/model.safetensors",
      import.meta.url,
    ),
    "tokenizer/merges.txt": new URL("../../../checkpoints/menagerie/tokenizer/merges.txt", import.meta.url),
    "tokenizer/special_tokens_map.json": new URL(
      "../../../checkpoints/menagerie/tokenizer/special_tokens_map.json",
      import.meta.url,
    ),
    "tokenizer/tokenizer_config.json": new URL(
      "../../../checkpoints/menagerie/tokenizer/tokenizer_config.json",
      import.meta.url,
    ),
    "tokenizer/vocab.json": new URL("../../../checkpoints/menagerie/tokenizer/vocab.json", import.meta.url),
    "unet/config.json": new URL("../../../checkpoints/menagerie/unet/config.json", import.meta.url),
    "unet/diffusion_pytorch_model.safetensors": new URL(
      "../../../checkpoints/menagerie/unet/diffusion_pytorch_model.safetensors",
      import.meta.url,
    ),
    "vae/config.json": new URL("../../../checkpoints/menagerie/vae/config.json", import.meta.url),
    "vae/diffusion_pytorch_model.safetensors": new URL(
      "../../../checkpoints/menagerie/vae/diffusion_pytorch_model.safetensors",
      import.meta.url,
    ),
    "words.json": new URL("../../../checkpoints/menagerie/words.json", import.meta.url),
  },
};

const menagerieJudge: PackageFolder = {
  list: new URL("../../../checkpoints/menagerie-judge/files.json", import.meta.url),
  urls: {
    "attributes.json": new URL("../../../checkpoints/menagerie-judge/attributes.json", import.meta.url),
    "config.json": new URL("../../../checkpoints/menagerie-judge/config.json", import.meta.url),
    "merges.txt": new URL("../../../checkpoints/menagerie-judge/merges.txt", import.meta.url),
    "model.safetensors": new URL("../../../checkpoints/menagerie-judge/model.safetensors", import.meta.url),
    "perceptual.json": new URL("../../../checkpoints/menagerie-judge/perceptual.json", import.meta.url),
    "preprocessor_config.json": new URL(
      "../../../checkpoints/menagerie-judge/preprocessor_config.json",
      import.meta.url,
    ),
    "special_tokens_map.json": new URL("../../../checkpoints/menagerie-judge/special_tokens_map.json", import.meta.url),
    "tokenizer_config.json": new URL("../../../checkpoints/menagerie-judge/tokenizer_config.json", import.meta.url),
    "vocab.json": new URL("../../../checkpoints/menagerie-judge/vocab.json", import.meta.url),
  },
};

const clip: PackageFolder = {
  list: new URL("../../../assets/clip/files.json", import.meta.url),
  urls: {
    "merges.txt": new URL("../../../assets/clip/merges.txt", import.meta.url),
  },
};

/** The models that ship with the package. */
export const packageModels: ReadonlyMap<string, PackageFolder> = new Map([
  ["menagerie", menagerie],
  ["menagerie-judge", menagerieJudge],
]);

/** CLIP's vocabulary, for a model without a tokenizer of its own. */
export const packageVocabulary = { name: "clip", folder: clip };
