import * as g from "../../src/graph/index.ts";
import { readUNetConfig, timeShape, unet } from "../../src/models/index.ts";

export interface Size {
  name: string;
  config: Record<string, unknown>;
  /** Side of the latents. */
  side: number;
  tokens: number;
}

const sd15UNet: Record<string, unknown> = {
  _class_name: "UNet2DConditionModel",
  act_fn: "silu",
  attention_head_dim: 8,
  block_out_channels: [320, 640, 1280, 1280],
  center_input_sample: false,
  cross_attention_dim: 768,
  down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  downsample_padding: 1,
  flip_sin_to_cos: true,
  freq_shift: 0,
  in_channels: 4,
  layers_per_block: 2,
  mid_block_scale_factor: 1,
  norm_eps: 1e-5,
  norm_num_groups: 32,
  out_channels: 4,
  sample_size: 64,
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
};

export const sd15: Size = { name: "sd15", config: sd15UNet, side: 64, tokens: 77 };
/** The same architecture in small, to try a benchmark itself. */
export const quick: Size = {
  name: "quick",
  config: { ...sd15UNet, block_out_channels: [64, 128, 128, 128], cross_attention_dim: 64, sample_size: 16 },
  side: 16,
  tokens: 77,
};
/** A U-Net like that of the Menagerie. */
export const menagerie: Size = {
  name: "menagerie",
  config: {
    _class_name: "UNet2DConditionModel",
    attention_head_dim: 4,
    block_out_channels: [96, 160, 224],
    cross_attention_dim: 128,
    down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    layers_per_block: 1,
    up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
  },
  side: 16,
  tokens: 16,
};

export const sd15Vae: Record<string, unknown> = {
  _class_name: "AutoencoderKL",
  block_out_channels: [128, 256, 512, 512],
  down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  latent_channels: 4,
  layers_per_block: 2,
  up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
};

const width = ({ config }: Size): number => config.cross_attention_dim as number;

/** Noise prediction for any batch. Inputs: sample [B, 4, H, W], time [B, C₀], context [B, L, D] → eps. */
export function forward(size: Size, batch: "B" | number = "B"): Record<string, g.Node> {
  const { side, tokens } = size;
  const config = readUNetConfig(size.config);
  const inputs = {
    sample: g.input("sample", [batch, 4, side, side]),
    time: g.input("time", timeShape(config, batch)),
    context: g.input("context", [batch, tokens, width(size)]),
  };
  return { eps: unet(config, inputs) };
}

/** mean((eps − target)²) of one row, and its gradient with respect to the text embedding. */
export function lossAndGradient(size: Size): Record<string, g.Node> {
  const { side, tokens } = size;
  const context = g.input("context", [1, tokens, width(size)]);
  const config = readUNetConfig(size.config);
  const inputs = {
    sample: g.input("sample", [1, 4, side, side]),
    time: g.input("time", timeShape(config, 1)),
    context,
  };
  const eps = unet(config, inputs);
  const loss = g.meanSquare(g.sub(eps, g.input("target", eps.shape)));
  return { eps, loss, gradient: g.gradients(loss, [context])[0] };
}
