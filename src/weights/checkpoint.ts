import { MAX_SIDE, type Size, shown, type Warning } from "../core/index.ts";
import type { Component, Config } from "./component.ts";
import type { EditingDefaults } from "./editing.ts";
import type { KnownWords } from "./knownWords.ts";
import type { SchedulerConfig } from "./scheduler.ts";
import type { ByteSource } from "./source.ts";

/** The files of a CLIP tokenizer. */
export interface TokenizerFiles {
  /** Names the tokenizer in errors: its folder. Default: CLIP's tokenizer. */
  readonly name?: string;
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

/** A text-to-image model on disk: its configurations, and the places of its weights. No weight is read. */
export interface Checkpoint {
  readonly kind: "diffusers folder" | "single file";
  /** The name that the user gave. */
  readonly name: string;
  /** UNet2DConditionModel. */
  readonly unet: Component;
  /** AutoencoderKL. */
  readonly vae: Component;
  /** CLIPTextModel. */
  readonly textEncoder: Component;
  /** Keys of a single file that belong to none of these. */
  readonly unknown: readonly string[];
  /** Facts about the files that the user should know. */
  readonly warnings: readonly Warning[];
  readonly scheduler: SchedulerConfig;
  readonly tokenizer: TokenizerFiles;
  readonly editing: EditingDefaults;
  /** The words that it was trained on, if its folder has a words.json. */
  readonly knownWords?: KnownWords;
}

/** Size of pictures if a model does not say. */
const DEFAULT_SIDE = 512;

/**
 * Returns the size of the pictures that a model was trained on: sample_size of its U-Net, a side or height and width of the
 * latents, times the VAE's factor. 512x512 if it gives none, with a warning if what it gives is no size.
 */
export function trainedSize(unet: Config, vae: Config, where: string): { size: Size; warnings: Warning[] } {
  const { sample_size: latents } = unet;
  const { block_out_channels: channels } = vae;
  const size = { height: DEFAULT_SIDE, width: DEFAULT_SIDE };
  if (latents === undefined || latents === null || !Array.isArray(channels)) return { size, warnings: [] };
  const sides: unknown[] = Array.isArray(latents) ? latents : [latents, latents];
  const [height, width] = sides.map((side) => (typeof side === "number" ? side * 2 ** (channels.length - 1) : NaN));
  const fits = (side: number): boolean => Number.isInteger(side) && side > 0 && side <= MAX_SIDE;
  if (sides.length === 2 && fits(height) && fits(width)) return { size: { height, width }, warnings: [] };
  const message = `${where}: sample_size ${shown(latents)} is no size of latents; pictures are ${DEFAULT_SIDE}x${DEFAULT_SIDE} unless another size is given`;
  return { size, warnings: [{ code: "unknown-size", message, details: { where, size } }] };
}
