import { z } from "zod";
import { between } from "../core/index.ts";
import type { Node } from "../graph/index.ts";
import * as g from "../graph/index.ts";
import {
  absent,
  diffusersFields,
  groupMisfit,
  MAX_LEVELS,
  misfit,
  only,
  positive,
  readConfig,
  refuseMisfits,
  repeats,
} from "./config.ts";
import { channelsOf, conv2d, groupNorm, linear, resnet, toPicture, toSequence } from "./layers.ts";
import { Scope } from "./scope.ts";

const schema = z.strictObject({
  ...diffusersFields,
  in_channels: only(3),
  out_channels: only(3),
  down_block_types: z.array(z.literal("DownEncoderBlock2D")).default(["DownEncoderBlock2D"]),
  up_block_types: z.array(z.literal("UpDecoderBlock2D")).default(["UpDecoderBlock2D"]),
  block_out_channels: z.array(positive()).min(1).max(MAX_LEVELS).default([64]),
  layers_per_block: repeats().default(1),
  act_fn: z.enum(["silu", "swish"]).default("silu"),
  latent_channels: positive().default(4),
  norm_num_groups: positive().default(32),
  sample_size: z.unknown().optional(), // changes nothing of what is computed
  scaling_factor: between(1e-3, 1e3).default(0.18215),
  shift_factor: absent(),
  latents_mean: absent(),
  latents_std: absent(),
  force_upcast: z.boolean().optional(), // everything is float32 here
  use_quant_conv: z.boolean().default(true),
  use_post_quant_conv: z.boolean().default(true),
  mid_block_add_attention: z.boolean().default(true),
});

/** Architecture of an AutoencoderKL, the finest level first. */
export interface VaeConfig {
  latentChannels: number;
  channels: readonly number[];
  /** Residual blocks per level of the encoder. The decoder has one more. */
  resnets: number;
  groups: number;
  midAttention: boolean;
  quantConv: boolean;
  postQuantConv: boolean;
  /** Latents of the diffusion model are those of the encoder times this factor. */
  scalingFactor: number;
  /** Pixels of the picture per pixel of the latents, along each side. */
  factor: number;
}

const EPS = 1e-6;

/** Reads the config.json of an AutoencoderKL. Throws CheckpointError that lists every unknown field. */
export function readVaeConfig(config: unknown, component = "vae/config.json"): VaeConfig {
  const c = readConfig(schema, config, component);
  const levels = c.block_out_channels.length;
  refuseMisfits(component, [
    misfit("down_block_types", c.down_block_types, levels),
    misfit("up_block_types", c.up_block_types, levels),
    groupMisfit(c.block_out_channels, c.norm_num_groups),
  ]);
  return {
    latentChannels: c.latent_channels,
    channels: c.block_out_channels,
    resnets: c.layers_per_block,
    groups: c.norm_num_groups,
    midAttention: c.mid_block_add_attention,
    quantConv: c.use_quant_conv,
    postQuantConv: c.use_post_quant_conv,
    scalingFactor: c.scaling_factor,
    factor: 2 ** (levels - 1),
  };
}

/**
 * Encodes a picture into its posterior; diffusers, models/autoencoders/autoencoder_kl.py. picture: [B, 3, H, W] in −1..1 →
 * mean and log-variance, each [B, 4, H/8, W/8] and not scaled.
 */
export function encode(config: VaeConfig, picture: Node, weights = new Scope()): { mean: Node; logVariance: Node } {
  const { channels, resnets, groups, latentChannels } = config;
  const w = weights.at("encoder");
  let h = conv2d(w.at("conv_in"), picture, channels[0]);
  channels.forEach((out, level) => {
    const block = w.at("down_blocks").at(level);
    for (let j = 0; j < resnets; j++) h = resnet(block.at("resnets").at(j), h, undefined, { out, groups, eps: EPS });
    if (level < channels.length - 1) {
      h = conv2d(block.at("downsamplers").at(0).at("conv"), h, out, { stride: 2, pads: [0, 0, 1, 1] });
    }
  });
  h = middle(config, w.at("mid_block"), h);
  h = conv2d(w.at("conv_out"), g.silu(groupNorm(w.at("conv_norm_out"), h, groups, EPS)), 2 * latentChannels);
  if (config.quantConv) h = conv2d(weights.at("quant_conv"), h, 2 * latentChannels, { kernel: 1 });
  return { mean: g.slice(h, 1, 0, latentChannels), logVariance: g.slice(h, 1, latentChannels, 2 * latentChannels) };
}

/** Decodes latents that are not scaled. latent: [B, 4, H/8, W/8] → picture [B, 3, H, W], about −1..1. */
export function decode(config: VaeConfig, latent: Node, weights = new Scope()): Node {
  const { channels, resnets, groups, latentChannels } = config;
  const w = weights.at("decoder");
  const z = config.postQuantConv
    ? conv2d(weights.at("post_quant_conv"), latent, latentChannels, { kernel: 1 })
    : latent;
  let h = conv2d(w.at("conv_in"), z, channels.at(-1)!);
  h = middle(config, w.at("mid_block"), h);
  channels.toReversed().forEach((out, i) => {
    const block = w.at("up_blocks").at(i);
    for (let j = 0; j <= resnets; j++) h = resnet(block.at("resnets").at(j), h, undefined, { out, groups, eps: EPS });
    if (i < channels.length - 1) h = conv2d(block.at("upsamplers").at(0).at("conv"), g.upsample2x(h), out);
  });
  return conv2d(w.at("conv_out"), g.silu(groupNorm(w.at("conv_norm_out"), h, groups, EPS)), 3);
}

function middle({ groups, midAttention }: VaeConfig, w: Scope, x: Node): Node {
  const options = { out: channelsOf(x), groups, eps: EPS };
  let h = resnet(w.at("resnets").at(0), x, undefined, options);
  if (midAttention) h = selfAttention(w.at("attentions").at(0), h, groups);
  h = resnet(w.at("resnets").at(1), h, undefined, options);
  return h;
}

/** Self-attention with one head over the pixels. */
function selfAttention(w: Scope, x: Node, groups: number): Node {
  const c = channelsOf(x);
  const [height, width] = x.shape.slice(2) as number[];
  const tokens = toSequence(groupNorm(w.at("group_norm"), x, groups, EPS));
  const project = (name: string) => linear(w.at(name), tokens, c);
  const attended = g.attention(project("to_q"), project("to_k"), project("to_v"), { heads: 1 });
  return g.add(x, toPicture(linear(w.at("to_out").at(0), attended, c), height, width));
}
