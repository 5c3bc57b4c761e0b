import type { Config } from "../component.ts";
import type { Prediction } from "../scheduler.ts";

/** Generations of Stable Diffusion whose single files can be read. */
export type Family = "SD1.x" | "SD2.x";

const sharedUNet = {
  _class_name: "UNet2DConditionModel",
  act_fn: "silu",
  block_out_channels: [320, 640, 1280, 1280],
  center_input_sample: false,
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
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
};

const sharedText = {
  architectures: ["CLIPTextModel"],
  attention_dropout: 0,
  dropout: 0,
  initializer_factor: 1,
  initializer_range: 0.02,
  layer_norm_eps: 1e-5,
  max_position_embeddings: 77,
  model_type: "clip_text_model",
  pad_token_id: 1,
};

/** Tokens of CLIP's vocabulary. */
const CLIP_TOKENS = 49408;

/** Configuration of a single file's U-Net, as diffusers writes it. `sampleSize`: side of the latents. */
export const unetConfig = (family: Family, sampleSize: number): Config =>
  family === "SD1.x"
    ? { ...sharedUNet, sample_size: sampleSize, attention_head_dim: 8, cross_attention_dim: 768 }
    : {
        ...sharedUNet,
        sample_size: sampleSize,
        attention_head_dim: [5, 10, 20, 20],
        cross_attention_dim: 1024,
        use_linear_projection: true,
      };

/** Configuration of the VAE of both families. `sampleSize`: side of the pictures. */
export const vaeConfig = (sampleSize: number): Config => ({
  _class_name: "AutoencoderKL",
  act_fn: "silu",
  block_out_channels: [128, 256, 512, 512],
  down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  in_channels: 3,
  latent_channels: 4,
  layers_per_block: 2,
  norm_num_groups: 32,
  out_channels: 3,
  sample_size: sampleSize,
  scaling_factor: 0.18215,
  up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
});

/**
 * Configuration of the text encoder: CLIP ViT-L/14's, or OpenCLIP ViT-H/14's without its last layer, which SD2.x does not
 * use. `tokens`: rows of the file's token table, which has more than CLIP's if words were learnt.
 */
export const textConfig = (family: Family, tokens = CLIP_TOKENS): Config =>
  family === "SD1.x"
    ? {
        ...sharedText,
        vocab_size: Math.max(tokens, CLIP_TOKENS),
        bos_token_id: 0,
        eos_token_id: 2,
        hidden_act: "quick_gelu",
        hidden_size: 768,
        intermediate_size: 3072,
        num_attention_heads: 12,
        num_hidden_layers: 12,
        projection_dim: 768,
      }
    : {
        ...sharedText,
        vocab_size: Math.max(tokens, CLIP_TOKENS),
        bos_token_id: 0,
        eos_token_id: 2,
        hidden_act: "gelu",
        hidden_size: 1024,
        intermediate_size: 4096,
        num_attention_heads: 16,
        num_hidden_layers: 23,
        projection_dim: 512,
      };

/** Returns the noise schedule that both families were trained with. */
export const schedulerConfig = (prediction: Prediction): Config => ({
  _class_name: "DDIMScheduler",
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  beta_start: 0.00085,
  clip_sample: false,
  num_train_timesteps: 1000,
  prediction_type: prediction,
  set_alpha_to_one: false,
  steps_offset: 1,
  trained_betas: null,
});

/** Configuration of the tokenizer. SD1.x pads with the end of text, SD2.x with token 0. */
export const tokenizerConfig = (family: Family): Config => ({
  bos_token: { content: "<|startoftext|>", normalized: true },
  eos_token: { content: "<|endoftext|>", normalized: true },
  model_max_length: 77,
  pad_token: family === "SD1.x" ? "<|endoftext|>" : "!",
  tokenizer_class: "CLIPTokenizer",
  unk_token: { content: "<|endoftext|>", normalized: true },
});
