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

/** What differs from step to step: scalars, shape []. */
export interface AdamStep {
  /** Learning rate η. */
  readonly rate: Node;
  /** 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ): see biasCorrections. */
  readonly correction1: Node;
  readonly correction2: Node;
}

/** The bias corrections of step t, counted from 1. Kingma & Ba 2015, algorithm 1. */
export const biasCorrections = (t: number, { beta1 = 0.9, beta2 = 0.999 }: AdamOptions = {}): [number, number] => [
  1 / (1 - beta1 ** t),
  1 / (1 - beta2 ** t),
];

/**
 * One step of Adam as graph, so that parameter and moments need not leave the engine. Kingma & Ba 2015, algorithm 1:
 * m' = β₁m + (1−β₁)g, v' = β₂v + (1−β₂)g², x' = x − η·m̂/(√v̂ + ε). With weightDecay λ, first x ← x·(1 − η·λ)
 * (Loshchilov & Hutter 2019, algorithm 2).
 */
export function adamStep(
  { value, first, second }: AdamState,
  gradient: Node,
  { rate, correction1, correction2 }: AdamStep,
  { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0 }: AdamOptions = {},
): AdamState {
  const m = add(mul(beta1, first), mul(1 - beta1, gradient));
  const v = add(mul(beta2, second), mul(1 - beta2, square(gradient)));
  const decayed = weightDecay === 0 ? value : mul(value, sub(1, mul(rate, weightDecay)));
  const direction = div(mul(m, correction1), add(sqrt(mul(v, correction2)), eps));
  return { value: sub(decayed, mul(rate, direction)), first: m, second: v };
}
