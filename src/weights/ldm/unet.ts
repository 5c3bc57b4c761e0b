import { originalName } from "./originalName.ts";

/** Parts of a residual block, in the original code and in diffusers. */
const resnetParts = new Map(
  Object.entries({
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    skip_connection: "conv_shortcut",
  }),
);

const outerParts = new Map(
  Object.entries({
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
  }),
);

const middleParts = ["resnets.0", "attentions.0", "resnets.1"];

/** Layers of one resolution: two residual blocks and a downsampler on the way down, three residual blocks on the way up. */
const PER_BLOCK = 3;

/**
 * Returns the name in diffusers of a weight of the original U-Net, without the prefix "model.diffusion_model.". Returns undefined
 * if the U-Nets of SD1.x and SD2.x have no such weight. Layers of attention blocks have the same names in both.
 */
export function unetName(key: string): string | undefined {
  const [, path, kind] = /^(.+)\.(weight|bias)$/.exec(key) ?? [];
  if (!path) return undefined;
  const outer = outerParts.get(path);
  if (outer) return `${outer}.${kind}`;

  const [, side, first, second, rest] = /^(input|middle|output)_blocks?\.(\d+)(?:\.(\d+))?\.(.+)$/.exec(key) ?? [];
  if (!side) return undefined;
  if (side === "middle") {
    const part = middleParts.at(Number(first));
    return part && layerName(`mid_block.${part}`, `${second ? `${second}.` : ""}${rest}`);
  }
  const n = Number(first) - (side === "input" ? 1 : 0);
  if (n < 0) return undefined;
  const block = `${side === "input" ? "down" : "up"}_blocks.${Math.floor(n / PER_BLOCK)}`;
  const place = n % PER_BLOCK;
  if (second === "0" && /^op\./.test(rest)) return `${block}.downsamplers.0.conv.${rest.slice(3)}`;
  if (second !== "0" && /^conv\./.test(rest)) return `${block}.upsamplers.0.conv.${rest.slice(5)}`;
  if (second === "0") return layerName(`${block}.resnets.${place}`, rest);
  return second === "1" ? layerName(`${block}.attentions.${place}`, rest) : undefined;
}

/** Returns the name in the original U-Net, without its prefix, of the weight that diffusers calls `name`. */
export function originalUnetName(name: string): string {
  const [, path, kind] = /^(.+)\.(weight|bias)$/.exec(name) ?? [];
  const outer = originalName(outerParts, path);
  if (outer) return `${outer}.${kind}`;
  const [, side, block, layer, index, rest] =
    /^(down|mid|up)_blocks?(?:\.(\d+))?\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (!side) return name;
  const inside = layer === "resnets" ? originalInResnet(rest) : rest;
  if (side === "mid") return `middle_block.${middleParts.indexOf(`${layer}.${index}`)}.${inside}`;
  const first = PER_BLOCK * Number(block) + (side === "down" ? 1 : 0);
  if (layer === "downsamplers") return `input_blocks.${first + 2}.0.${rest.replace(/^conv\./, "op.")}`;
  // The lowest resolution has no attention, which elsewhere comes before the upsampler.
  if (layer === "upsamplers") return `output_blocks.${first + 2}.${block === "0" ? 1 : 2}.${rest}`;
  const place = `${side === "down" ? "input" : "output"}_blocks.${first + Number(index)}`;
  return `${place}.${layer === "resnets" ? 0 : 1}.${inside}`;
}

function originalInResnet(rest: string): string {
  const [, part, kind] = /^(.+)\.(weight|bias)$/.exec(rest) ?? [];
  return `${originalName(resnetParts, part) ?? part}.${kind}`;
}

/** Returns the name in diffusers of a weight inside a residual block or an attention block. */
function layerName(layer: string, rest: string): string | undefined {
  if (layer.includes("attentions.")) return `${layer}.${rest}`;
  const [, part, kind] = /^(.+)\.(weight|bias)$/.exec(rest) ?? [];
  const name = part && resnetParts.get(part);
  return name && `${layer}.${name}.${kind}`;
}
