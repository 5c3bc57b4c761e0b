import type { Node } from "./node.ts";
import { add, div, mul, sqrt, square, sub } from "./ops/index.ts";

/** Constants of Adam. Defaults: those of Kingma & Ba 2015, and of PyTorch. */
export interface AdamOptions {
  /** Decay of the first moment. Default 0.9. */
  beta1?: number;
  /** Decay of the second moment. Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  eps?: number;
  /** Decoupled weight decay λ (AdamW). Default 0: plain Adam. */
  weightDecay?: number;
}

/** A parameter with its moments, all of one shape. */
export interface AdamState {
  readonly value: Node;
  readonly first: Node;
  readonly second: Node;
}

/** What differs from step to step: scalars, shape []. Their values are adamScalars'. */
export interface AdamStep {
  readonly rate: Node;
  readonly eps: Node;
  /** Only read if weights decay. */
  readonly decay: Node;
}

/**
 * Values of a step's scalars, t counted from 1, at learning rate η. The bias corrections c₁ = 1/(1 − β₁ᵗ) and
 * c₂ = 1/(1 − β₂ᵗ) of Kingma & Ba 2015, algorithm 1, are drawn out of the tensors:
 * η·c₁m/(√(c₂v) + ε) = (η·c₁/√c₂)·m/(√v + ε/√c₂). decay: 1 − η·λ (Loshchilov & Hutter 2019, algorithm 2).
 */
export function adamScalars(
  t: number,
  learningRate: number,
  { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0 }: AdamOptions = {},
): Record<keyof AdamStep, number> {
  const root = Math.sqrt(1 - beta2 ** t);
  return { rate: (learningRate * root) / (1 - beta1 ** t), eps: eps * root, decay: 1 - learningRate * weightDecay };
}

/**
 * One step of Adam as graph, so that parameter and moments need not leave the engine, in as few passes over them as there
 * are. Kingma & Ba 2015, algorithm 1: m' = m + (1−β₁)(g − m), v' = v + (1−β₂)(g² − v), x' = x − rate·m'/(√v' + eps); with
 * weight decay, x is scaled by `decay` before.
 */
export function adamStep(
  { value, first, second }: AdamState,
  gradient: Node,
  { rate, eps, decay }: AdamStep,
  { beta1 = 0.9, beta2 = 0.999, weightDecay = 0 }: AdamOptions = {},
): AdamState {
  const m = add(first, mul(1 - beta1, sub(gradient, first)));
  const v = add(second, mul(1 - beta2, sub(square(gradient), second)));
  const update = mul(rate, div(m, add(sqrt(v), eps)));
  return { value: sub(weightDecay === 0 ? value : mul(decay, value), update), first: m, second: v };
}
