import type { Node } from "../graph/index.ts";
import * as g from "../graph/index.ts";
import type { Scope } from "./scope.ts";

/** Channels of a value: axis 1 of pictures [B, C, H, W], the last axis of sequences [B, L, C]. */
export const channelsOf = (x: Node): number => x.shape[x.shape.length === 4 ? 1 : x.shape.length - 1] as number;

/** x·Wᵀ + b. x: [..., C] → [..., out]. */
export function linear(w: Scope, x: Node, out: number, { bias = true } = {}): Node {
  const weight = w.tensor("weight", [out, channelsOf(x)]);
  return g.linear(x, weight, bias ? w.tensor("bias", [out]) : undefined);
}

export interface Convolution {
  kernel?: number;
  stride?: number;
  /** Zeros at [top, left, bottom, right]. Default: as many as keep the size at stride 1. */
  pads?: readonly [number, number, number, number];
  bias?: boolean;
}

/** x: [B, C, H, W] → [B, out, H/stride, W/stride]. */
export function conv2d(
  w: Scope,
  x: Node,
  out: number,
  { kernel = 3, stride = 1, pads, bias = true }: Convolution = {},
): Node {
  const weight = w.tensor("weight", [out, channelsOf(x), kernel, kernel]);
  const p = (kernel - 1) / 2;
  return g.conv2d(x, weight, bias ? w.tensor("bias", [out]) : undefined, { stride, pads: pads ?? [p, p, p, p] });
}

export function groupNorm(w: Scope, x: Node, groups: number, eps: number): Node {
  const c = channelsOf(x);
  return g.groupNorm(x, w.tensor("weight", [c]), w.tensor("bias", [c]), groups, eps);
}

export function layerNorm(w: Scope, x: Node, eps: number): Node {
  const c = channelsOf(x);
  return g.layerNorm(x, w.tensor("weight", [c]), w.tensor("bias", [c]), eps);
}

/** [B, C, H, W] → [B, H·W, C] */
export function toSequence(x: Node): Node {
  const [batch, channels, height, width] = x.shape as [Node["shape"][0], number, number, number];
  return g.transpose(g.reshape(x, [batch, channels, height * width]), [0, 2, 1]);
}

/** [B, H·W, C] → [B, C, H, W] */
export function toPicture(x: Node, height: number, width: number): Node {
  return g.reshape(g.transpose(x, [0, 2, 1]), [x.shape[0], channelsOf(x), height, width]);
}

export interface Resnet {
  out: number;
  groups: number;
  eps: number;
}

/** Residual block. x: [B, C, H, W], time: [B, T] (absent in the VAE) → [B, out, H, W]. */
export function resnet(w: Scope, x: Node, time: Node | undefined, { out, groups, eps }: Resnet): Node {
  let h = conv2d(w.at("conv1"), g.silu(groupNorm(w.at("norm1"), x, groups, eps)), out);
  if (time) h = g.add(h, g.reshape(linear(w.at("time_emb_proj"), g.silu(time), out), [time.shape[0], out, 1, 1]));
  h = conv2d(w.at("conv2"), g.silu(groupNorm(w.at("norm2"), h, groups, eps)), out);
  return g.add(channelsOf(x) === out ? x : conv2d(w.at("conv_shortcut"), x, out, { kernel: 1 }), h);
}
