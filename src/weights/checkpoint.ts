import { MAX_SIDE, type Warning } from "../core/index.ts";
import type { Component, Config } from "./component.ts";
import type { EditingDefaults } from "./editing.ts";
import type { SchedulerConfig } from "./scheduler.ts";
import type { ByteSource } from "./source.ts";

/** The files of a CLIP tokenizer. */
export interface TokenizerFiles {
  /**
   * vocab.json and merges.txt, with a tokenizer.json beside them if there is one, or tokenizer.json alone. Absent: CLIP's
   * own, which ships with baret.
   */
  readonly vocabulary?:
    | { readonly vocab: ByteSource; readonly merges: ByteSource; readonly json?: ByteSource }
    | { readonly json: ByteSource };
  /** added_tokens.json. */
  readonly addedTokens?: ByteSource;
  /** tokenizer_config.json, under what special_tokens_map.json says. */
  readonly config: Config;
}

/** A text-to-image model as it lies on disk: configurations read, weights located, nothing loaded. */
export interface Checkpoint {
  readonly kind: "diffusers folder" | "single file";
  /** What the user called it. */
  readonly name: string;
  /** UNet2DConditionModel. */
  readonly unet: Component;
  /** AutoencoderKL. */
  readonly vae: Component;
  /** CLIPTextModel. */
  readonly textEncoder: Component;
  /** Keys of a single file that belong to none of these. */
  readonly unknown: readonly string[];
  /** Facts about its files that its user should know. */
  readonly warnings: readonly Warning[];
  readonly scheduler: SchedulerConfig;
  readonly tokenizer: TokenizerFiles;
  readonly editing: EditingDefaults;
}

/** Side of the pictures that a model was trained on, from the U-Net's latents and the VAE's factor; 512 where not told. */
export function trainedSize(unet: Config, vae: Config): number {
  const { sample_size: latents } = unet;
  const { block_out_channels: channels } = vae;
  const size = typeof latents === "number" && Array.isArray(channels) ? latents * 2 ** (channels.length - 1) : 512;
  return Number.isInteger(size) && size > 0 && size <= MAX_SIDE ? size : 512;
}
