import { type TensorRef, viewRows } from "../tensor-ref.ts";
import { originalName } from "./originalName.ts";

/** Parts of an OpenCLIP layer and their names in CLIPTextModel. */
const layerParts = new Map(
  Object.entries({
    ln_1: "layer_norm1",
    ln_2: "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
  }),
);

const outerKeys = new Map(
  Object.entries({
    "token_embedding.weight": "embeddings.token_embedding.weight",
    positional_embedding: "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
  }),
);

/** Weights with which OpenCLIP compares texts and pictures. Stable Diffusion does not use them. */
const unused = ["text_projection", "logit_scale", "attn_mask"];

/** SD2.x takes the output of the last layer but one, so the last of the 24 is left out. */
const LAYERS = 23;

/**
 * Translates a weight of OpenCLIP's text encoder, without the file's prefix, to CLIPTextModel: usually one weight under
 * another name, three views of the same bytes if query, key and value are fused, none if Stable Diffusion does not use it.
 * Returns undefined if the text encoder of SD2.x has no such weight.
 */
export function openClipWeights(key: string, ref: TensorRef): [string, TensorRef][] | undefined {
  if (unused.includes(key)) return [];
  const outer = outerKeys.get(key);
  if (outer) return [[`text_model.${outer}`, ref]];
  const [, layer, rest] = /^transformer\.resblocks\.(\d+)\.(.+)$/.exec(key) ?? [];
  if (!rest || Number(layer) > LAYERS) return undefined;
  const fused = /^attn\.in_proj_(weight|bias)$/.exec(rest);
  const [, part, kind] = /^(.+)\.(weight|bias)$/.exec(rest) ?? [];
  const name = layerParts.get(part);
  if (!fused && !name) return undefined;
  if (Number(layer) === LAYERS) return [];
  const path = `text_model.encoder.layers.${layer}`;
  if (!fused) return [[`${path}.${name}.${kind}`, ref]];
  const third = ref.shape[0] / 3;
  if (!Number.isInteger(third)) return undefined;
  return ["q", "k", "v"].map((letter, i) => [
    `${path}.self_attn.${letter}_proj.${fused[1]}`,
    viewRows(ref, i * third, (i + 1) * third),
  ]);
}

/** Returns the name in OpenCLIP's text encoder, without the file's prefix, of the weight `name` of a CLIPTextModel. */
export function originalOpenClipName(name: string): string {
  const inside = name.replace(/^text_model\./, "");
  const [, layer, path, kind] = /^encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(inside) ?? [];
  if (!layer) return originalName(outerKeys, inside) ?? name;
  const block = `transformer.resblocks.${layer}`;
  if (/^self_attn\.[qkv]_proj$/.test(path)) return `${block}.attn.in_proj_${kind}`;
  return `${block}.${originalName(layerParts, path) ?? path}.${kind}`;
}
