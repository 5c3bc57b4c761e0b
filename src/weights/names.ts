import type { Component, Config } from "./component.ts";
import type { TensorRef } from "./tensor-ref.ts";

/** A component whose keys may be others than its file's. `original`: what the file would call one that is not there. */
export const renamedComponent = (
  config: Config,
  weights: ReadonlyMap<string, TensorRef>,
  original: (key: string) => string = (key) => key,
): Component => ({ config, weights, nameInFile: (key) => weights.get(key)?.name ?? original(key) });

/** `weights` with every key renamed by `rename`. */
function renamed(weights: ReadonlyMap<string, TensorRef>, rename: (key: string) => string): Map<string, TensorRef> {
  return new Map([...weights].map(([key, ref]) => [rename(key), ref]));
}

/**
 * Keys of a CLIP text encoder as Stable Diffusion's files have them: "text_model.embeddings...". transformers 5 writes
 * them without the first part.
 */
export function textEncoderNames(weights: ReadonlyMap<string, TensorRef>): Map<string, TensorRef> {
  return renamed(weights, (key) => (/^(embeddings|encoder|final_layer_norm)\./.test(key) ? `text_model.${key}` : key));
}

/** What diffusers called the parts of a VAE's attention before version 0.18, and calls them now. */
const attentionNames: Record<string, string> = { query: "to_q", key: "to_k", value: "to_v", proj_attn: "to_out.0" };

/** Keys of an AutoencoderKL as diffusers writes them today. */
function vaeNames(weights: ReadonlyMap<string, TensorRef>): Map<string, TensorRef> {
  return renamed(weights, (key) =>
    key.replace(
      /(\.attentions\.\d+\.)(query|key|value|proj_attn)\./,
      (_, path, name) => `${path}${attentionNames[name]}.`,
    ),
  );
}

/** A component under the names that its class has today, whichever release of diffusers or transformers wrote it. */
export function withTodaysNames({ config, weights }: Component): Component {
  if (config._class_name === "AutoencoderKL") return renamedComponent(config, vaeNames(weights));
  const isText = Array.isArray(config.architectures)
    ? config.architectures.includes("CLIPTextModel")
    : config.model_type === "clip_text_model";
  return renamedComponent(config, isText ? textEncoderNames(weights) : weights);
}
