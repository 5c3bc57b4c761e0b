import { CheckpointError, few, shown } from "../core/index.ts";
import { type Checkpoint, type TokenizerFiles, trainedSize } from "./checkpoint.ts";
import {
  type Component,
  type ComponentName,
  type Config,
  readComponent,
  variantOfEach,
  weightStems,
} from "./component.ts";
import { formerFieldsWarning, parseEditing } from "./editing.ts";
import { readJsonObject } from "./json.ts";
import { parseKnownWords } from "./knownWords.ts";
import { isTextEncoder, withCurrentNames } from "./names.ts";
import { clippingWarning, type Prediction, parseScheduler } from "./scheduler.ts";
import { type Folder, filesOf, subfolder } from "./source.ts";

export interface OpenOptions {
  /** Output of the U-Net, if the files do not say it or are wrong. */
  prediction?: Prediction;
  /**
   * Variant of the weights, if a folder has several: "fp16" for diffusion_pytorch_model.fp16.safetensors. A component
   * without such a file gives its plain one, if another component has one.
   */
  variant?: string;
}

/** Pipelines other than text-to-image with Stable Diffusion, and what to use instead. */
const otherPipelines: [RegExp, string][] = [
  [/XL/, "This is an SDXL model, with two text encoders; baret runs Stable Diffusion 1.x and 2.x."],
  [/Inpaint/, "This is an inpainting model; baret needs the plain one of the same model."],
  [/ControlNet/, "This pipeline contains a ControlNet; baret needs the Stable Diffusion model that belongs to it."],
  [
    /^StableDiffusion3|Flux/,
    "This is a transformer model; baret runs Stable Diffusion 1.x and 2.x, which have a U-Net.",
  ],
  [
    /Upscale|Depth2Img|InstructPix2Pix|LatentUpscale|Diff(?!usion)|ImageVariation|UnCLIP/,
    "baret needs the text-to-image model.",
  ],
];

/** Opens a folder that `save_pretrained` of diffusers wrote. Throws CheckpointError that lists all missing subfolders. */
export async function openDiffusersFolder(folder: Folder, options: OpenOptions): Promise<Checkpoint> {
  const entries = await folder.list();
  const has = (name: string) => entries.some((e) => e.name === name);
  await checkPipeline(folder);
  const missing = ["unet", "vae", "text_encoder", "tokenizer", "scheduler"].filter((part) => !has(part));
  if (missing.length) {
    throw new CheckpointError("the model's folder is incomplete", {
      where: folder.name,
      found: few(entries.map((e) => e.name)),
      expected: `also ${missing.map((m) => `${m}/`).join(", ")}`,
    });
  }

  const parts = {
    unet: subfolder(folder, "unet"),
    vae: subfolder(folder, "vae"),
    text_encoder: subfolder(folder, "text_encoder"),
  };
  const files = {
    unet: await filesOf(parts.unet),
    vae: await filesOf(parts.vae),
    text_encoder: await filesOf(parts.text_encoder),
  };
  const variants = variantOfEach(files, options.variant);
  const read = (name: ComponentName) => readComponent(parts[name], weightStems[name], variants[name]);
  const [unet, vae, text] = await Promise.all([read("unet"), read("vae"), read("text_encoder")]);
  checkClass(unet.config, `${folder.name}/unet/config.json`, "UNet2DConditionModel");
  checkClass(vae.config, `${folder.name}/vae/config.json`, "AutoencoderKL");
  checkTextEncoder(text.config, `${folder.name}/text_encoder/config.json`);
  checkChannels(unet, `${folder.name}/unet`);

  const schedulerSource = await folder.open("scheduler/scheduler_config.json");
  const schedulerConfig = await readJsonObject(schedulerSource);
  const scheduler = parseScheduler(schedulerConfig, schedulerSource.name);
  const trained = trainedSize(unet.config, vae.config, `${folder.name}/unet/config.json`);
  const editing = has("editing.json") ? await folder.open("editing.json") : undefined;
  const editingJson = editing ? await readJsonObject(editing) : {};
  const editingName = editing?.name ?? folder.name;
  const words = has("words.json") ? await folder.open("words.json") : undefined;
  return {
    kind: "diffusers folder",
    name: folder.name,
    unet,
    vae: withCurrentNames(vae),
    textEncoder: withCurrentNames(text),
    unknown: [],
    warnings: [
      ...clippingWarning(schedulerConfig, schedulerSource.name),
      ...trained.warnings,
      ...formerFieldsWarning(editingJson, editingName),
    ],
    scheduler: { ...scheduler, prediction: options.prediction ?? scheduler.prediction },
    tokenizer: await readTokenizerFiles(subfolder(folder, "tokenizer")),
    editing: parseEditing(editingJson, editingName, trained.size),
    ...(words && { knownWords: parseKnownWords(await readJsonObject(words), words.name) }),
  };
}

/**
 * Throws CheckpointError if a folder holds a pipeline other than text-to-image with Stable Diffusion. Reads no weights, so
 * that a download can be refused before they are fetched.
 */
export async function checkPipeline(folder: Folder): Promise<void> {
  const names = (await folder.list()).map((e) => e.name);
  const index = names.includes("model_index.json") ? await readJsonObject(await folder.open("model_index.json")) : {};
  const { _class_name: named = "StableDiffusionPipeline" } = index;
  const name = names.includes("text_encoder_2") ? "StableDiffusionXLPipeline" : named;
  const expected = "StableDiffusionPipeline";
  if (typeof name !== "string") {
    throw new CheckpointError("_class_name", {
      where: `${folder.name}/model_index.json`,
      found: shown(name),
      expected,
    });
  }
  const [, advice] = otherPipelines.find(([pattern]) => pattern.test(name)) ?? [];
  if (advice) throw new CheckpointError("another kind of model", { where: folder.name, found: name, expected, advice });
}

function checkClass({ _class_name: found }: Config, where: string, expected: string): void {
  if (found !== expected) throw new CheckpointError("_class_name", { where, found: shown(found), expected });
}

function checkTextEncoder(config: Config, where: string): void {
  if (isTextEncoder(config)) return;
  const { architectures, model_type: type } = config;
  const named = Array.isArray(architectures) ? architectures : [];
  throw new CheckpointError("another text encoder", {
    where,
    found: shown(named.length ? named : type),
    expected: "CLIPTextModel",
  });
}

/** Throws CheckpointError if the U-Net also takes a picture: an inpainting model takes 9 channels, InstructPix2Pix 8. */
function checkChannels(unet: Component, where: string): void {
  const { in_channels: taken = 4, out_channels: given = 4 } = unet.config;
  if (taken === given) return;
  throw new CheckpointError("in_channels", {
    where,
    found: shown(taken),
    expected: `${shown(given)}, as many as out_channels`,
    advice: "This model also takes a picture as input (inpainting, or InstructPix2Pix); baret needs the plain one.",
  });
}

/** Finds the files of a folder's tokenizer, whichever of its two forms it has. */
export async function readTokenizerFiles(folder: Folder): Promise<TokenizerFiles> {
  const files = await filesOf(folder);
  const config: Record<string, unknown> = {};
  for (const file of ["tokenizer_config.json", "special_tokens_map.json"]) {
    if (files.includes(file)) Object.assign(config, await readJsonObject(await folder.open(file)));
  }
  const openIfThere = async (file: string) => (files.includes(file) ? await folder.open(file) : undefined);
  const addedTokens = await openIfThere("added_tokens.json");
  const json = await openIfThere("tokenizer.json");
  const rest = { name: folder.name, config, ...(addedTokens && { addedTokens }) };
  if (files.includes("vocab.json") && files.includes("merges.txt")) {
    const [vocab, merges] = await Promise.all([folder.open("vocab.json"), folder.open("merges.txt")]);
    return { vocabulary: { vocab, merges, ...(json && { json }) }, ...rest };
  }
  if (json) return { vocabulary: { json }, ...rest };
  throw new CheckpointError("no tokenizer", {
    where: folder.name,
    found: few(files) || "no file",
    expected: "vocab.json and merges.txt, or tokenizer.json",
  });
}
