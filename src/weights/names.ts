import type { TensorRef } from "./tensor-ref.ts";

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
export function vaeNames(weights: ReadonlyMap<string, TensorRef>): Map<string, TensorRef> {
  return renamed(weights, (key) =>
    key.replace(
      /(\.attentions\.\d+\.)(query|key|value|proj_attn)\./,
      (_, path, name) => `${path}${attentionNames[name]}.`,
    ),
  );
}
