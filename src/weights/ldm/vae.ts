import { attentionNames } from "../names.ts";
import { originalName } from "./originalName.ts";

/** The attention's layers in the original code. */
const attentionParts = new Map(
  Object.entries({ norm: "group_norm", q: "to_q", k: "to_k", v: "to_v", proj_out: "to_out.0" }),
);

/** Names that diffusers gave these layers, which converted files carry under the original prefix. */
const convertedParts = new Map<string, string>([
  ...Object.entries(attentionNames),
  ...[...attentionParts.values()].map((name) => [name, name] as const),
]);

/** Resolutions of Stable Diffusion's VAE. In the decoder the original counts from the finest, diffusers from the coarsest. */
const LEVELS = 4;

/**
 * Returns the name in diffusers of a weight of the original VAE, without the prefix "first_stage_model.". Returns undefined if
 * the VAE of SD1.x and SD2.x has no such weight.
 */
export function vaeName(key: string): string | undefined {
  if (/^(post_)?quant_conv\.(weight|bias)$/.test(key)) return key;
  const [, coder, rest] = /^(encoder|decoder)\.(.+)$/.exec(key) ?? [];
  if (!coder) return undefined;

  const [, side, level, part] = /^(down|up)\.(\d+)\.(.+)$/.exec(rest) ?? [];
  if (side && (side === "down") === (coder === "encoder")) {
    const block = side === "down" ? Number(level) : LEVELS - 1 - Number(level);
    const inside = /^block\.(\d+)\.(.+)$/.exec(part);
    const name = inside ? `resnets.${inside[1]}.${resnetPart(inside[2])}` : resampler(part);
    return name && block >= 0 ? `${coder}.${side}_blocks.${block}.${name}` : undefined;
  }
  const middle = /^mid\.block_([12])\.(.+)$/.exec(rest);
  if (middle) return `${coder}.mid_block.resnets.${Number(middle[1]) - 1}.${resnetPart(middle[2])}`;
  const attention = /^mid\.attn_1\.(.+)\.(weight|bias)$/.exec(rest);
  if (attention) {
    const layer = attentionParts.get(attention[1]) ?? convertedParts.get(attention[1]);
    return layer && `${coder}.mid_block.attentions.0.${layer}.${attention[2]}`;
  }
  const end = /^(conv_in|norm_out|conv_out)\.(weight|bias)$/.exec(rest);
  return end ? `${coder}.${end[1] === "norm_out" ? "conv_norm_out" : end[1]}.${end[2]}` : undefined;
}

/** Returns the name in the original VAE, without its prefix, of the weight that diffusers calls `name`. */
export function originalVaeName(name: string): string {
  const [, coder, rest] = /^(encoder|decoder)\.(.+)$/.exec(name) ?? [];
  if (!coder) return name;
  const [, side, block, part] = /^(down|up)_blocks\.(\d+)\.(.+)$/.exec(rest) ?? [];
  if (side) {
    const level = side === "down" ? Number(block) : LEVELS - 1 - Number(block);
    const inside = part
      .replace(/^resnets\.(\d+)\./, "block.$1.")
      .replace(/^(down|up)samplers\.0\./, "$1sample.")
      .replace(".conv_shortcut.", ".nin_shortcut.");
    return `${coder}.${side}.${level}.${inside}`;
  }
  const middle = /^mid_block\.resnets\.(\d+)\.(.+)$/.exec(rest);
  if (middle) return `${coder}.mid.block_${Number(middle[1]) + 1}.${middle[2]}`;
  const attention = /^mid_block\.attentions\.0\.(.+)\.(weight|bias)$/.exec(rest);
  if (attention) return `${coder}.mid.attn_1.${originalName(attentionParts, attention[1])}.${attention[2]}`;
  return `${coder}.${rest.replace(/^conv_norm_out\./, "norm_out.")}`;
}

const resnetPart = (part: string) => part.replace(/^nin_shortcut\./, "conv_shortcut.");

function resampler(part: string): string | undefined {
  const [, side, kind] = /^(down|up)sample\.conv\.(weight|bias)$/.exec(part) ?? [];
  return side ? `${side}samplers.0.conv.${kind}` : undefined;
}
