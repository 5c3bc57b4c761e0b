import type { IntTensor } from "../core/index.ts";
import type { Node } from "../graph/index.ts";
import * as g from "../graph/index.ts";
import { headCount } from "./attention-sites.ts";
import type { ClipConfig, ClipTextConfig, ClipVisionConfig, TowerConfig } from "./clip-config.ts";
import { conv2d, layerNorm, linear, toSequence } from "./layers.ts";
import { Scope } from "./scope.ts";

/**
 * Text encoder of Stable Diffusion: CLIPTextModel's last hidden state after the final layer norm. ids: [B, L] int64 →
 * [B, L, C]. transformers, models/clip/modeling_clip.py.
 */
export function clipText(config: ClipTextConfig, ids: Node, weights = new Scope()): Node {
  const w = weights.at("text_model");
  const tokens = g.gather(
    w.at("embeddings").at("token_embedding").tensor("weight", [config.vocabulary, config.width]),
    ids,
  );
  const positions = w.at("embeddings").at("position_embedding").tensor("weight", [config.length, config.width]);
  const x = g.add(tokens, g.slice(positions, 0, 0, ids.shape[1] as number));
  return layerNorm(w.at("final_layer_norm"), layers(config, w, x, true).at(-1)!, config.eps);
}

/** Embeddings of texts that CLIP compares with pictures, not normalised. ids: [B, L], ends: [B] of `endPositions` → [B, P]. */
export function clipTextFeatures({ text, projection }: ClipConfig, ids: Node, ends: Node, weights = new Scope()): Node {
  const hidden = clipText(text, ids, weights);
  const [batch, length, width] = hidden.shape as [Node["shape"][0], number, number];
  const rows = g.reshape(hidden, [batch === "B" ? `${length}B` : (batch as number) * length, width]);
  return linear(weights.at("text_projection"), g.gather(rows, ends), projection, { bias: false });
}

/** Embeddings of pictures that CLIP compares with texts, not normalised. pixels: [B, 3, S, S] → [B, P]. */
export function clipImageFeatures({ vision, projection }: ClipConfig, pixels: Node, weights = new Scope()): Node {
  const pooled = clipVision(vision, pixels, weights);
  return linear(weights.at("visual_projection"), pooled, projection, { bias: false });
}

/**
 * Distance of two pictures in each layer of CLIP's vision tower except the last, whose patches nothing reads: mean over the
 * patches of |f̂₀ − f̂₁|², with f̂ = f/‖f‖₂. pixels: [2, 3, S, S], normalised → [layers − 1].
 */
export function clipLayerDistances({ vision }: Pick<ClipConfig, "vision">, pixels: Node, weights = new Scope()): Node {
  const compared = visionLayers(vision, pixels, weights).slice(0, -1);
  const distances = compared.map((h) => {
    const patches = g.normalise(g.slice(h, 1, 1, h.shape[1] as number));
    const apart = g.square(g.sub(g.slice(patches, 0, 0, 1), g.slice(patches, 0, 1, 2)));
    return g.reshape(g.mean(g.sum(apart, [2])), [1]);
  });
  return g.concat(distances, 0);
}

/** The class token of CLIP's vision tower after the last layer norm. pixels: [B, 3, S, S], normalised → [B, C]. */
function clipVision(config: ClipVisionConfig, pixels: Node, weights: Scope): Node {
  const out = g.slice(visionLayers(config, pixels, weights).at(-1)!, 1, 0, 1);
  const norm = weights.at("vision_model").at("post_layernorm");
  return layerNorm(norm, g.reshape(out, [out.shape[0], config.width]), config.eps);
}

/** The output of each layer of the vision tower: the class token, then the patches. pixels: [B, 3, S, S] → [B, 1 + patches, C]. */
function visionLayers(config: ClipVisionConfig, pixels: Node, weights: Scope): Node[] {
  const { width, patch, size, eps } = config;
  const w = weights.at("vision_model");
  const embeddings = w.at("embeddings");
  const grid = conv2d(embeddings.at("patch_embedding"), pixels, width, {
    kernel: patch,
    stride: patch,
    pads: [0, 0, 0, 0],
    bias: false,
  });
  const patches = toSequence(grid);
  const first = g.reshape(embeddings.tensor("class_embedding", [width]), [1, 1, width]);
  const tokens = g.concat([g.broadcastLike(first, g.slice(patches, 1, 0, 1)), patches], 1);
  const positions = embeddings.at("position_embedding").tensor("weight", [(size / patch) ** 2 + 1, width]);
  const x = layerNorm(w.at("pre_layrnorm"), g.add(tokens, positions), eps); // spelt like this in checkpoints
  return layers(config, w, x, false);
}

/** The output of each layer of either tower's transformer. x: [B, L, C]. */
function layers(config: TowerConfig, weights: Scope, x: Node, causal: boolean): Node[] {
  const { width, heads, hidden, eps } = config;
  const activate = config.activation === "gelu" ? g.gelu : g.quickGelu;
  const outputs: Node[] = [];
  let h = x;
  for (let i = 0; i < config.layers; i++) {
    const w = weights.at("encoder").at("layers").at(i);
    const attention = w.at("self_attn");
    const normed = layerNorm(w.at("layer_norm1"), h, eps);
    const project = (name: string) => linear(attention.at(name), normed, width);
    const attended = g.attention(project("q_proj"), project("k_proj"), project("v_proj"), {
      heads: headCount(heads, width, attention.path),
      causal,
    });
    h = g.add(h, linear(attention.at("out_proj"), attended, width));
    const wide = activate(linear(w.at("mlp").at("fc1"), layerNorm(w.at("layer_norm2"), h, eps), hidden));
    h = g.add(h, linear(w.at("mlp").at("fc2"), wide, width));
    outputs.push(h);
  }
  return outputs;
}

/** CLIP's temperature exp(logit_scale), about 100. A single number. */
export const logitScale = (weights = new Scope()): Node => g.exp(weights.tensor("logit_scale", []));

/**
 * For each text b, the row of its end-of-text token, b·L + position, for `clipTextFeatures`. Configs from before
 * transformers 4.31 give 2 for end-of-text whatever it is; with them, the largest id marks the end.
 */
export function endPositions({ endOfText }: ClipTextConfig, ids: IntTensor): IntTensor {
  const [count, length] = ids.shape;
  const ends = Int32Array.from({ length: count }, (_, b) => {
    const row = ids.data.subarray(b * length, (b + 1) * length);
    const at = endOfText === 2 ? row.indexOf(row.reduce((most, id) => Math.max(most, id))) : row.indexOf(endOfText);
    return b * length + Math.max(0, at);
  });
  return { shape: [count], data: ends };
}
