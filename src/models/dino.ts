import type { Node } from "../graph/index.ts";
import * as g from "../graph/index.ts";
import { conv2d, layerNorm, linear, toSequence } from "./layers.ts";
import { Scope } from "./scope.ts";

/** Sizes of a vision transformer of DINO (Caron et al. 2021). */
export interface DinoConfig {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Height and width of a patch, and of the pictures. */
  readonly patch: number;
  readonly size: number;
}

/** ViT-B/8. */
export const dinoB8: DinoConfig = { width: 768, layers: 12, heads: 12, patch: 8, size: 224 };

const eps = 1e-6;

/**
 * Keys of the last block's attention, all heads side by side, of the class token and the patches. pixels: [B, 3, S, S] →
 * [B, 1 + patches, width]. Weights have the keys of facebookresearch/dino, vision_transformer.py, which are also timm's.
 */
export function dinoKeys({ width, layers, heads, patch, size }: DinoConfig, pixels: Node, w = new Scope()): Node {
  const proj = w.at("patch_embed").at("proj");
  const patches = toSequence(conv2d(proj, pixels, width, { kernel: patch, stride: patch, pads: [0, 0, 0, 0] }));
  const first = g.broadcastLike(w.tensor("cls_token", [1, 1, width]), g.slice(patches, 1, 0, 1));
  const positions = w.tensor("pos_embed", [1, (size / patch) ** 2 + 1, width]);
  let h = g.add(g.concat([first, patches], 1), positions);
  for (let i = 0; ; i++) {
    const block = w.at("blocks").at(i);
    const qkv = linear(block.at("attn").at("qkv"), layerNorm(block.at("norm1"), h, eps), 3 * width);
    const [q, k, v] = [0, 1, 2].map((part) => g.slice(qkv, 2, part * width, (part + 1) * width));
    if (i === layers - 1) return k;
    h = g.add(h, linear(block.at("attn").at("proj"), g.attention(q, k, v, { heads }), width));
    const wide = g.gelu(linear(block.at("mlp").at("fc1"), layerNorm(block.at("norm2"), h, eps), 4 * width));
    h = g.add(h, linear(block.at("mlp").at("fc2"), wide, width));
  }
}

/**
 * Structure distance of two pictures, a single number: mean squared difference of their self-similarities
 * S_ij = cos(k_i, k_j) (Tumanyan et al. 2022, eq. 4). pixels: [2, 3, S, S].
 */
export function structureDistance(config: DinoConfig, pixels: Node, weights = new Scope()): Node {
  const keys = g.normalise(dinoKeys(config, pixels, weights));
  const similarity = g.matmul(keys, keys, { transB: true });
  return g.meanSquare(g.sub(g.slice(similarity, 0, 0, 1), g.slice(similarity, 0, 1, 2)));
}
