import { CheckpointError } from "../../core/index.ts";
import { type Checkpoint, trainedSize } from "../checkpoint.ts";
import type { OpenOptions } from "../diffusers.ts";
import { parseEditing } from "../editing.ts";
import { addWeight, renamedComponent, textEncoderName, vaeWeight } from "../names.ts";
import { readSafetensors, type Safetensors } from "../safetensors.ts";
import { type Prediction, parseScheduler } from "../scheduler.ts";
import type { ByteSource } from "../source.ts";
import type { TensorRef } from "../tensor-ref.ts";
import { type Family, schedulerConfig, textConfig, tokenizerConfig, unetConfig, vaeConfig } from "./configs.ts";
import { familyOf, refuseOtherFormats } from "./detect.ts";
import { openClipWeights, originalOpenClipName } from "./text.ts";
import { originalUnetName, unetName } from "./unet.ts";
import { originalVaeName, vaeName } from "./vae.ts";

/** The weights of a single file, under the names that diffusers gives them. */
interface Parts {
  readonly unet: Map<string, TensorRef>;
  readonly vae: Map<string, TensorRef>;
  readonly text: Map<string, TensorRef>;
  /** Keys that belong to none of them. */
  readonly unknown: readonly string[];
}

/**
 * What else training left in a file: a running average of the weights, the noise schedule's tables, the loss's own
 * network, learnt words.
 */
const ignored =
  /^(model_ema\.|embedding_manager\.|first_stage_model\.loss\.|first_stage_model\.model_ema\.|[a-z_0-9]+$)|\.position_ids$/;

/**
 * An SD1.x or SD2.x checkpoint in the original layout: one safetensors file with U-Net, VAE and text encoder, and
 * nothing that describes them. Throws CheckpointError where it is something else, and where it cannot say what the
 * U-Net predicts and `prediction` does not either.
 */
export async function openSingleFile(source: ByteSource, { prediction }: OpenOptions): Promise<Checkpoint> {
  await refuseOtherFormats(source);
  const file = await readSafetensors(source);
  const family = familyOf(file, source.name);
  const parts = partsOf(file, source.name);
  const predicts = prediction ?? predictionOf(file, family, source.name);
  const latents = family === "SD2.x" && predicts === "v_prediction" ? 96 : 64;
  const inFile = originalNames[family];
  const unet = renamedComponent(unetConfig(family, latents), parts.unet, inFile.unet);
  const vae = renamedComponent(vaeConfig(latents * 8), parts.vae, inFile.vae);
  const tokens = parts.text.get("text_model.embeddings.token_embedding.weight")?.shape[0];
  return {
    kind: "single file",
    name: source.name,
    unet,
    vae,
    textEncoder: renamedComponent(textConfig(family, tokens), parts.text, inFile.text),
    unknown: parts.unknown,
    warnings: [],
    scheduler: parseScheduler(schedulerConfig(predicts), source.name),
    tokenizer: { config: tokenizerConfig(family) },
    editing: parseEditing({}, source.name, trainedSize(unet.config, vae.config, source.name).size),
  };
}

const unetAndVae = {
  unet: (name: string) => `model.diffusion_model.${originalUnetName(name)}`,
  vae: (name: string) => `first_stage_model.${originalVaeName(name)}`,
};

/** What a single file calls a weight that diffusers calls `name`. */
export const originalNames: Record<Family, Record<"unet" | "vae" | "text", (name: string) => string>> = {
  "SD1.x": { ...unetAndVae, text: (name) => `cond_stage_model.transformer.${name}` },
  "SD2.x": { ...unetAndVae, text: (name) => `cond_stage_model.model.${originalOpenClipName(name)}` },
};

function partsOf({ tensors }: Safetensors, where: string): Parts {
  const parts = { unet: new Map(), vae: new Map(), text: new Map() };
  const unknown: string[] = [];
  for (const [key, ref] of tensors) if (!ignored.test(key) && !place(parts, key, ref)) unknown.push(key);
  const missing = (["unet", "vae", "text"] as const).filter((part) => parts[part].size === 0);
  if (missing.length) {
    throw new CheckpointError(`no weights of the ${missing.join(", ")}`, {
      where,
      expected: "U-Net, VAE and text encoder in one file",
      advice: "Use the full checkpoint: this file was saved without some of its parts.",
    });
  }
  return { ...parts, unknown };
}

/** Adds one tensor to the network that it belongs to. Returns false if it belongs to none. */
function place(parts: Omit<Parts, "unknown">, key: string, ref: TensorRef): boolean {
  const [, prefix, rest] =
    /^(model\.diffusion_model|first_stage_model|cond_stage_model\.transformer|cond_stage_model\.model)\.(.+)$/.exec(
      key,
    ) ?? [];
  if (prefix === "model.diffusion_model") {
    const name = unetName(rest);
    if (name) addWeight(parts.unet, name, ref);
    return name !== undefined;
  }
  if (prefix === "first_stage_model") {
    const name = vaeName(rest);
    if (name) addWeight(parts.vae, name, vaeWeight(name, ref));
    return name !== undefined;
  }
  if (prefix === "cond_stage_model.transformer") {
    addWeight(parts.text, textEncoderName(rest), ref);
    return true;
  }
  const weights = prefix ? openClipWeights(rest, ref) : undefined;
  for (const [name, view] of weights ?? []) addWeight(parts.text, name, view);
  return weights !== undefined;
}

/** SD1.x predicts ε. SD2.x comes in two kinds with the same keys; a few files say which in their metadata. */
function predictionOf({ metadata }: Safetensors, family: Family, where: string): Prediction {
  const told = metadata["modelspec.prediction_type"];
  if (told === "epsilon") return "epsilon";
  if (told === "v" || told === "v_prediction") return "v_prediction";
  if (family === "SD1.x") return "epsilon";
  throw new CheckpointError("this SD2.x file does not say what its U-Net predicts", {
    where,
    advice:
      "Give --prediction v_prediction (the 768-pixel models, such as v2-1_768-ema-pruned) or --prediction epsilon (the 512-base ones).",
  });
}
