import { z } from "zod";
import { between } from "../core/index.ts";
import {
  absent,
  diffusersFields,
  epsilon,
  groupMisfit,
  MAX_LEVELS,
  misfit,
  only,
  positive,
  readConfig,
  refuseMisfits,
  repeats,
} from "./config.ts";

const perBlock = (value: () => z.ZodType<number> = positive) =>
  z.union([value(), z.array(value()).min(1).max(MAX_LEVELS)]);

const schema = z.strictObject({
  ...diffusersFields,
  sample_size: z.union([positive(), z.tuple([positive(), positive()])]).nullish(),
  in_channels: positive().default(4),
  out_channels: positive().default(4),
  center_input_sample: only(false),
  flip_sin_to_cos: z.boolean().default(true),
  freq_shift: between(0, 1).default(0),
  down_block_types: z
    .array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"]))
    .default(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]),
  mid_block_type: z.literal("UNetMidBlock2DCrossAttn").nullable().default("UNetMidBlock2DCrossAttn"),
  up_block_types: z
    .array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"]))
    .default(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]),
  only_cross_attention: z.union([z.literal(false), z.array(z.literal(false))]).default(false),
  block_out_channels: z.array(positive()).min(1).max(MAX_LEVELS).default([320, 640, 1280, 1280]),
  layers_per_block: perBlock(repeats).default(2),
  downsample_padding: only(1),
  mid_block_scale_factor: only(1),
  dropout: z.number().optional(), // acts in training only
  act_fn: z.enum(["silu", "swish"]).default("silu"),
  norm_num_groups: positive().default(32),
  norm_eps: epsilon().default(1e-5),
  cross_attention_dim: perBlock().default(1280),
  transformer_layers_per_block: perBlock(repeats).default(1),
  reverse_transformer_layers_per_block: absent(),
  encoder_hid_dim: absent(),
  encoder_hid_dim_type: absent(),
  attention_head_dim: perBlock().default(8),
  num_attention_heads: perBlock().nullish(),
  dual_cross_attention: only(false),
  use_linear_projection: z.boolean().default(false),
  class_embed_type: absent(),
  addition_embed_type: absent(),
  addition_time_embed_dim: absent(),
  num_class_embeds: absent(),
  upcast_attention: z.boolean().nullish(), // everything is float32 here
  resnet_time_scale_shift: only("default"),
  resnet_skip_time_act: only(false),
  resnet_out_scale_factor: only(1),
  time_embedding_type: only("positional"),
  time_embedding_dim: absent(),
  time_embedding_act_fn: absent(),
  timestep_post_act: absent(),
  time_cond_proj_dim: absent(),
  conv_in_kernel: only(3),
  conv_out_kernel: only(3),
  projection_class_embeddings_input_dim: absent(),
  attention_type: only("default"),
  class_embeddings_concat: only(false),
  mid_block_only_cross_attention: z.literal(false).nullish(),
  cross_attention_norm: absent(),
  addition_embed_type_num_heads: z.number().optional(), // read only with addition_embed_type
});

/** Architecture of a U-Net, block by block, the finest first. */
export interface UNetConfig {
  inChannels: number;
  outChannels: number;
  /** Latent height and width in training; undefined if the config does not give them. */
  sampleSize: readonly [number, number] | undefined;
  flipSinToCos: boolean;
  freqShift: number;
  groups: number;
  eps: number;
  linearProjection: boolean;
  blocks: readonly UNetBlock[];
  /** Undefined in models that were distilled without it. */
  mid: { channels: number; heads: number; contextDim: number; transformers: number } | undefined;
}

/** A level of the U-Net: its block on the way down and its block on the way up. */
export interface UNetBlock {
  channels: number;
  resnets: number;
  heads: number;
  contextDim: number;
  transformers: number;
  attendsDown: boolean;
  attendsUp: boolean;
}

/**
 * Reads the config.json of a UNet2DConditionModel (diffusers, models/unets/unet_2d_condition.py).
 * Throws CheckpointError that lists every field that is unknown or not supported.
 */
export function readUNetConfig(config: unknown, component = "unet/config.json"): UNetConfig {
  const c = readConfig(schema, config, component);
  const levels = c.block_out_channels.length;
  const perLevel = [
    "down_block_types",
    "up_block_types",
    "layers_per_block",
    "attention_head_dim",
    "num_attention_heads",
    "cross_attention_dim",
    "transformer_layers_per_block",
  ] as const;
  refuseMisfits(component, [
    ...perLevel.map((field) => misfit(field, c[field], levels)),
    groupMisfit(c.block_out_channels, c.norm_num_groups),
    c.block_out_channels[0] % 2 !== 0 && `block_out_channels ${c.block_out_channels} begins with an odd number`,
    c.block_out_channels[0] / 2 <= c.freq_shift &&
      `freq_shift ${c.freq_shift} is too large for block_out_channels ${c.block_out_channels}`,
  ]);
  const at = (value: number | number[], level: number): number => (Array.isArray(value) ? value[level] : value);
  // In diffusers, attention_head_dim means the number of heads. num_attention_heads overrides it.
  const heads = (level: number) => at(c.num_attention_heads ?? c.attention_head_dim, level);
  const last = levels - 1;
  const size = c.sample_size ?? undefined;
  return {
    inChannels: c.in_channels,
    outChannels: c.out_channels,
    sampleSize: typeof size === "number" ? [size, size] : size,
    flipSinToCos: c.flip_sin_to_cos,
    freqShift: c.freq_shift,
    groups: c.norm_num_groups,
    eps: c.norm_eps,
    linearProjection: c.use_linear_projection,
    blocks: c.block_out_channels.map((channels, level) => ({
      channels,
      resnets: at(c.layers_per_block, level),
      heads: heads(level),
      contextDim: at(c.cross_attention_dim, level),
      transformers: at(c.transformer_layers_per_block, level),
      attendsDown: c.down_block_types[level] === "CrossAttnDownBlock2D",
      attendsUp: c.up_block_types[last - level] === "CrossAttnUpBlock2D",
    })),
    mid: c.mid_block_type
      ? {
          channels: c.block_out_channels[last],
          heads: heads(last),
          contextDim: at(c.cross_attention_dim, last),
          transformers: at(c.transformer_layers_per_block, last),
        }
      : undefined,
  };
}
