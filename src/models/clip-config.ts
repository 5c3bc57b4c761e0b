import { z } from "zod";
import { epsilon, only, positive, readConfig, refuseMisfits, repeats } from "./config.ts";

/**
 * Fields of transformers' PretrainedConfig about saving, training and text generation. They do not change what a CLIP tower
 * computes. Old checkpoints have dozens of them.
 */
const bookkeeping = [
  "_name_or_path", "architectures", "attention_dropout", "dropout", "dtype", "initializer_factor", "initializer_range",
  "torch_dtype", "transformers_version", "torchscript", "return_dict", "output_hidden_states", "output_attentions",
  "use_bfloat16", "use_cache", "tf_legacy_loss", "pruned_heads", "tie_word_embeddings", "is_encoder_decoder",
  "is_decoder", "cross_attention_hidden_size", "add_cross_attention", "tie_encoder_decoder", "chunk_size_feed_forward",
  "finetuning_task", "id2label", "label2id", "tokenizer_class", "prefix", "sep_token_id", "decoder_start_token_id",
  "task_specific_params", "problem_type", "max_length", "min_length", "do_sample", "early_stopping", "num_beams",
  "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty",
  "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences",
  "output_scores", "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
  "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "logit_scale_init_value",
  "text_config_dict", "vision_config_dict",
]; // biome-ignore format: a list of names
const ignored = Object.fromEntries(bookkeeping.map((name) => [name, z.unknown().optional()]));

const tower = {
  ...ignored,
  hidden_size: positive(),
  intermediate_size: positive(),
  num_hidden_layers: repeats(64),
  num_attention_heads: positive(),
  hidden_act: z.enum(["quick_gelu", "gelu"]).default("quick_gelu"),
  layer_norm_eps: epsilon().default(1e-5),
  projection_dim: positive().default(512),
};

const textSchema = z.strictObject({
  ...tower,
  model_type: only("clip_text_model"),
  vocab_size: positive().default(49408),
  hidden_size: positive().default(512),
  intermediate_size: positive().default(2048),
  num_hidden_layers: repeats(64).default(12),
  num_attention_heads: positive().default(8),
  max_position_embeddings: positive().default(77),
  bos_token_id: z.int().nullish(),
  eos_token_id: z.int().nonnegative().default(49407),
  pad_token_id: z.int().nullish(),
});

const visionSchema = z.strictObject({
  ...tower,
  model_type: only("clip_vision_model"),
  hidden_size: positive().default(768),
  intermediate_size: positive().default(3072),
  num_hidden_layers: repeats(64).default(12),
  num_attention_heads: positive().default(12),
  image_size: positive().default(224),
  patch_size: positive().default(32),
  num_channels: only(3),
});

const clipSchema = z.strictObject({
  ...ignored,
  model_type: only("clip"),
  projection_dim: positive().default(512),
  text_config: z.unknown(),
  vision_config: z.unknown(),
});

/** Sizes of the layers of a CLIP tower. */
export interface TowerConfig {
  width: number;
  hidden: number;
  layers: number;
  heads: number;
  activation: "quick_gelu" | "gelu";
  eps: number;
}

export interface ClipTextConfig extends TowerConfig {
  vocabulary: number;
  /** Longest prompt, in tokens. */
  length: number;
  endOfText: number;
}

export interface ClipVisionConfig extends TowerConfig {
  /** Height and width of its pictures. */
  size: number;
  patch: number;
}

export interface ClipConfig {
  text: ClipTextConfig;
  vision: ClipVisionConfig;
  /** Length of the embeddings of pictures and texts. */
  projection: number;
}

type TowerFields = Pick<
  z.infer<typeof textSchema>,
  "hidden_size" | "intermediate_size" | "num_hidden_layers" | "num_attention_heads" | "hidden_act" | "layer_norm_eps"
>;
const towerOf = (c: TowerFields): TowerConfig => ({
  width: c.hidden_size,
  hidden: c.intermediate_size,
  layers: c.num_hidden_layers,
  heads: c.num_attention_heads,
  activation: c.hidden_act,
  eps: c.layer_norm_eps,
});

/** Reads the config.json of a CLIPTextModel. Throws CheckpointError that lists every unknown field. */
export function readClipTextConfig(config: unknown, component = "text_encoder/config.json"): ClipTextConfig {
  const c = readConfig(textSchema, config, component);
  return { ...towerOf(c), vocabulary: c.vocab_size, length: c.max_position_embeddings, endOfText: c.eos_token_id };
}

/** Reads the config.json of a CLIPModel. Throws CheckpointError that lists every unknown field. */
export function readClipConfig(config: unknown, component = "config.json"): ClipConfig {
  const c = readConfig(clipSchema, config, component);
  const vision = readConfig(visionSchema, c.vision_config ?? {}, `${component}, vision_config`);
  refuseMisfits(`${component}, vision_config`, [
    vision.image_size % vision.patch_size !== 0 &&
      `image_size ${vision.image_size} is not divisible by patch_size ${vision.patch_size}`,
  ]);
  return {
    text: readClipTextConfig(c.text_config ?? {}, `${component}, text_config`),
    vision: { ...towerOf(vision), size: vision.image_size, patch: vision.patch_size },
    projection: c.projection_dim,
  };
}
