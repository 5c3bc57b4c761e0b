import { CheckpointError, type Tensor, tensor } from "../core/index.ts";
import type { Dim, Node } from "../graph/index.ts";
import * as g from "../graph/index.ts";
import { type AttentionSite, headCount } from "./attention-sites.ts";
import { type AttentionControl, plainAttention } from "./attentionControl.ts";
import { channelsOf, conv2d, groupNorm, layerNorm, linear, resnet, toPicture, toSequence } from "./layers.ts";
import { Scope } from "./scope.ts";
import type { UNetConfig } from "./unet-config.ts";

export interface UNetInputs {
  /** [B, in, H, W] */
  sample: Node;
  /** Sinusoids of the timestep, [B, C₀], of `timestepSinusoids`. */
  time: Node;
  /** Text embedding, [B, L, D]. */
  context: Node;
  /** Grid of positions, [B or 1, C₀, H, W], of `positionGrid`. Added to conv_in's output. Default: nothing is added. */
  position?: Node;
  /**
   * Result of the inner parts at another step, [B, C₁, H, W]: then only the outer parts are computed, which are conv_in, the
   * last residual block with its attention, and conv_out. Default: everything is computed.
   */
  inner?: Node;
}

/**
 * Noise prediction (or v) of a UNet2DConditionModel, [B, out, H, W]; diffusers, models/unets/unet_2d_condition.py.
 * attend: computes attention at each site. weights: the prefix of the checkpoint's keys. onInner: gets what the inner parts give.
 */
export function unet(
  config: UNetConfig,
  { sample, time: sinusoids, context, position, inner }: UNetInputs,
  attend: AttentionControl = plainAttention,
  weights = new Scope(),
  onInner?: (inner: Node) => void,
): Node {
  const { blocks, mid, groups, eps } = config;
  const time = timeEmbedding(weights.at("time_embedding"), sinusoids, blocks[0].channels);
  const seen = { self: 0, cross: 0 };
  const transformer = (
    w: Scope,
    x: Node,
    level: number,
    block: { heads: number; contextDim: number; transformers: number },
  ) => {
    if (channelsOf(context) !== block.contextDim) {
      throw new CheckpointError("the text embedding does not fit the U-Net", {
        where: `${w.path}.attn2`,
        found: `${channelsOf(context)} channels`,
        expected: `${block.contextDim}`,
      });
    }
    return spatialTransformer(
      w,
      x,
      context,
      { ...block, level, linearProjection: config.linearProjection, groups },
      (site, projections) => attend({ ...site, index: seen[site.kind]++ }, projections),
    );
  };

  const convIn = conv2d(weights.at("conv_in"), sample, blocks[0].channels);
  const first = position ? g.add(convIn, position) : convIn;
  const up = (level: number, j: number, x: Node, skip: Node): Node => {
    const block = blocks[level];
    const w = weights.at("up_blocks").at(blocks.length - 1 - level);
    const h = resnet(w.at("resnets").at(j), g.concat([x, skip], 1), time, { out: block.channels, groups, eps });
    return block.attendsUp ? transformer(w.at("attentions").at(j), h, level, block) : h;
  };

  const innerParts = (): Node => {
    let h = first;
    const skips: Node[] = [];
    blocks.forEach((block, level) => {
      const w = weights.at("down_blocks").at(level);
      for (let j = 0; j < block.resnets; j++) {
        h = resnet(w.at("resnets").at(j), h, time, { out: block.channels, groups, eps });
        if (block.attendsDown) h = transformer(w.at("attentions").at(j), h, level, block);
        skips.push(h);
      }
      if (level < blocks.length - 1) {
        h = conv2d(w.at("downsamplers").at(0).at("conv"), h, block.channels, { stride: 2 });
        skips.push(h);
      }
    });

    if (mid) {
      const w = weights.at("mid_block");
      h = resnet(w.at("resnets").at(0), h, time, { out: mid.channels, groups, eps });
      h = transformer(w.at("attentions").at(0), h, blocks.length - 1, mid);
      h = resnet(w.at("resnets").at(1), h, time, { out: mid.channels, groups, eps });
    }

    for (let level = blocks.length - 1; level >= 0; level--) {
      const { channels, resnets } = blocks[level];
      // The last skip connection, of the first convolution, belongs to the outer parts.
      for (let j = 0; j < (level > 0 ? resnets + 1 : resnets); j++) h = up(level, j, h, skips.pop()!);
      if (level === 0) break;
      const w = weights.at("up_blocks").at(blocks.length - 1 - level);
      h = conv2d(w.at("upsamplers").at(0).at("conv"), upsampleTo(h, skips.at(-1)!), channels);
    }
    return h;
  };

  const within = inner ?? innerParts();
  onInner?.(within);
  let h = up(0, blocks[0].resnets, within, first);
  h = g.silu(groupNorm(weights.at("conv_norm_out"), h, groups, eps));
  return conv2d(weights.at("conv_out"), h, config.outChannels);
}

/** Shape of the input `time` of a U-Net, [B, C₀]. */
export const timeShape = ({ blocks }: UNetConfig, batch: Dim): Dim[] => [batch, blocks[0].channels];

/**
 * Sinusoids of timesteps for a U-Net, [B, C₀]; diffusers, models/embeddings.py, get_timestep_embedding. They are computed
 * here and not in the graph, because the sine of some devices is only accurate to 1e-4.
 */
export function timestepSinusoids(config: UNetConfig, timesteps: readonly number[]): Tensor {
  const { flipSinToCos, freqShift } = config;
  const [batch, channels] = timeShape(config, timesteps.length) as number[];
  const half = channels / 2;
  const made = tensor([batch, channels]);
  const [sines, cosines] = flipSinToCos ? [half, 0] : [0, half];
  // Each operation is rounded to float32, as in training.
  const step = Math.fround(-Math.log(10000));
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(Math.exp(Math.fround(Math.fround(step * i) / (half - freqShift))));
    for (const [row, timestep] of timesteps.entries()) {
      const angle = Math.fround(Math.fround(timestep) * frequency);
      made.data[row * channels + sines + i] = Math.sin(angle);
      made.data[row * channels + cosines + i] = Math.cos(angle);
    }
  }
  return made;
}

/** Sinusoids through two linear layers: [B, C] → [B, 4·C]. */
const timeEmbedding = (w: Scope, sinusoids: Node, channels: number): Node =>
  linear(w.at("linear_2"), g.silu(linear(w.at("linear_1"), sinusoids, 4 * channels)), 4 * channels);

/** Doubles x to the size of `like`: drops the last row or column if that size is odd. */
function upsampleTo(x: Node, like: Node): Node {
  const [, , height, width] = like.shape as readonly number[];
  return g.slice(g.slice(g.upsample2x(x), 2, 0, height), 3, 0, width);
}

interface TransformerOptions {
  heads: number;
  transformers: number;
  level: number;
  linearProjection: boolean;
  groups: number;
}

/** Transformer over the pixels of x: self-attention, cross-attention to the text, feed-forward. x: [B, C, H, W]. */
function spatialTransformer(
  w: Scope,
  x: Node,
  context: Node,
  { heads, transformers, level, linearProjection, groups }: TransformerOptions,
  attend: (site: Omit<AttentionSite, "index">, projections: { query: Node; key: Node; value: Node }) => Node,
): Node {
  const channels = channelsOf(x);
  const [height, width] = x.shape.slice(2) as number[];
  const normed = groupNorm(w.at("norm"), x, groups, 1e-6);
  let h = linearProjection
    ? linear(w.at("proj_in"), toSequence(normed), channels)
    : toSequence(conv2d(w.at("proj_in"), normed, channels, { kernel: 1 }));

  const attention = (at: Scope, kind: AttentionSite["kind"], tokens: Node, source: Node) => {
    const project = (name: string, from: Node) => linear(at.at(name), from, channels, { bias: false });
    const site = { path: at.path, kind, level, heads: headCount(heads, channels, at.path), height, width };
    const projections = {
      query: project("to_q", tokens),
      key: project("to_k", source),
      value: project("to_v", source),
    };
    return linear(at.at("to_out").at(0), attend(site, projections), channels);
  };
  for (let k = 0; k < transformers; k++) {
    const block = w.at("transformer_blocks").at(k);
    const own = layerNorm(block.at("norm1"), h, 1e-5);
    h = g.add(attention(block.at("attn1"), "self", own, own), h);
    h = g.add(attention(block.at("attn2"), "cross", layerNorm(block.at("norm2"), h, 1e-5), context), h);
    h = g.add(feedForward(block.at("ff"), layerNorm(block.at("norm3"), h, 1e-5)), h);
  }
  const out = linearProjection
    ? toPicture(linear(w.at("proj_out"), h, channels), height, width)
    : conv2d(w.at("proj_out"), toPicture(h, height, width), channels, { kernel: 1 });
  return g.add(out, x);
}

/** GEGLU feed-forward: (x₁ ∘ GELU(x₂))·W, [x₁, x₂] = x·V. */
function feedForward(w: Scope, x: Node): Node {
  const channels = channelsOf(x);
  const both = linear(w.at("net").at(0).at("proj"), x, 8 * channels);
  const gate = g.gelu(g.slice(both, -1, 4 * channels, 8 * channels));
  return linear(w.at("net").at(2), g.mul(g.slice(both, -1, 0, 4 * channels), gate), channels);
}

/** All attention sites of a U-Net at a latent size, in order of execution. */
export function attentionSites(config: UNetConfig, height: number, width: number, tokens: number): AttentionSite[] {
  const sites: AttentionSite[] = [];
  const contextDim = config.blocks[0].contextDim;
  unet(
    config,
    {
      sample: g.input("sample", [1, config.inChannels, height, width]),
      time: g.input("time", timeShape(config, 1)),
      context: g.input("context", [1, tokens, contextDim]),
    },
    (site, projections) => {
      sites.push(site);
      return plainAttention(site, projections);
    },
  );
  return sites;
}
