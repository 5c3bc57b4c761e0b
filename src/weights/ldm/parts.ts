import { CheckpointError } from "../../core/index.ts";
import { addWeight, textEncoderName, vaeWeight } from "../names.ts";
import type { Safetensors } from "../safetensors.ts";
import type { TensorRef } from "../tensor-ref.ts";
import type { Family } from "./configs.ts";
import { openClipWeights, originalOpenClipName } from "./text.ts";
import { originalUnetName, unetName } from "./unet.ts";
import { originalVaeName, vaeName } from "./vae.ts";

type Network = "unet" | "vae" | "text";

/** The weights of a single file, under the names that diffusers gives them. */
export interface Parts extends Readonly<Record<Network, ReadonlyMap<string, TensorRef>>> {
  /** Keys that belong to none of them. */
  readonly unknown: readonly string[];
  /** The file's name for a weight that diffusers calls `name`. */
  readonly originalName: Readonly<Record<Network, (name: string) => string>>;
}

/** Leftovers of training that many files hold: a running average of the weights, the noise schedule, the loss's network. */
const ignored =
  /^((first_stage_model\.)?model_ema\.|embedding_manager\.|first_stage_model\.loss\.|((sqrt|log)_\w+|betas|alphas_\w+|posterior_\w+|lvlb_weights|logvar|scale_factor|global_step|denoiser\.sigmas)$)|\.position_ids$/;

/** Prefixes of the text encoder: in the original layout, and in that of Stability's later code. */
const textPrefixes = ["cond_stage_model.", "conditioner.embedders.0."] as const;

/** Sorts the weights of a single file into its networks. Throws CheckpointError if one of them has none. */
export function partsOf({ tensors }: Safetensors, family: Family, where: string): Parts {
  const keys = [...tensors.keys()];
  const textPrefix = textPrefixes.find((prefix) => keys.some((key) => key.startsWith(prefix))) ?? textPrefixes[0];
  const parts = { unet: new Map(), vae: new Map(), text: new Map() };
  const unknown: string[] = [];
  for (const [key, ref] of tensors) {
    if (!ignored.test(key) && !place(parts, key, ref, textPrefix)) unknown.push(key);
  }
  const missing = (["unet", "vae", "text"] as const).filter((part) => parts[part].size === 0);
  if (missing.length) {
    throw new CheckpointError(`no weights of the ${missing.join(", ")}`, {
      where,
      expected: "U-Net, VAE and text encoder in one file",
      advice: "Use the full checkpoint: this file was saved without some of its parts.",
    });
  }
  return { ...parts, unknown, originalName: originalNames(family, textPrefix) };
}

/** Names in a single file for the weights that diffusers calls by their argument. */
export function originalNames(family: Family, textPrefix: string = textPrefixes[0]): Parts["originalName"] {
  return {
    unet: (name) => `model.diffusion_model.${originalUnetName(name)}`,
    vae: (name) => `first_stage_model.${originalVaeName(name)}`,
    text: (name) =>
      family === "SD1.x" ? `${textPrefix}transformer.${name}` : `${textPrefix}model.${originalOpenClipName(name)}`,
  };
}

/** Adds one tensor to the network that it belongs to. Returns false if it belongs to none. */
function place(
  parts: Readonly<Record<Network, Map<string, TensorRef>>>,
  key: string,
  ref: TensorRef,
  textPrefix: string,
): boolean {
  const inside = (prefix: string): string | undefined =>
    key.startsWith(prefix) && key.length > prefix.length ? key.slice(prefix.length) : undefined;
  const inUnet = inside("model.diffusion_model.");
  if (inUnet) return add(parts.unet, unetName(inUnet), ref);
  const inVae = inside("first_stage_model.");
  const vae = inVae && vaeName(inVae);
  if (inVae) return add(parts.vae, vae, vae ? vaeWeight(vae, ref) : ref);
  const inClip = inside(`${textPrefix}transformer.`);
  if (inClip) return add(parts.text, textEncoderName(inClip), ref);
  const inOpenClip = inside(`${textPrefix}model.`);
  const weights = inOpenClip ? openClipWeights(inOpenClip, ref) : undefined;
  for (const [name, view] of weights ?? []) addWeight(parts.text, name, view);
  return weights !== undefined;
}

function add(weights: Map<string, TensorRef>, name: string | undefined, ref: TensorRef): boolean {
  if (name) addWeight(weights, name, ref);
  return name !== undefined;
}
