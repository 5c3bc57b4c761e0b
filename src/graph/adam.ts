import type { Node } from "./operation.ts";
import { add, div, mul, sqrt, square, sub } from "./ops/index.ts";

/** Constants of Adam. The defaults are those of Kingma & Ba 2015 and of PyTorch. */
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

const defaults: Required<AdamOptions> = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };

/**
 * A parameter with its moments, all of one shape. The moments are kept divided by 1 − β, which saves a pass over each:
 * M = m/(1 − β₁) and V = v/(1 − β₂) of Kingma & Ba.
 */
export interface AdamState<Value = Node> {
  readonly value: Value;
  readonly first: Value;
  readonly second: Value;
}

/** Scalars that differ from step to step, shape []. `adamScalars` computes their values. */
export interface AdamStep {
  readonly rate: Node;
  readonly eps: Node;
  /** Read only if weights decay. */
  readonly decay: Node;
}

/**
 * Values of the scalars of step t, counted from 1, at learning rate η. They contain every factor that is the same for all
 * elements. With the bias corrections c₁ = 1/(1 − β₁ᵗ) and c₂ = 1/(1 − β₂ᵗ) of Kingma & Ba 2015, algorithm 1, and
 * s = √((1 − β₂)·c₂): η·c₁m/(√(c₂v) + ε) = (η·c₁(1 − β₁)/s)·M/(√V + ε/s). decay: 1 − η·λ (Loshchilov & Hutter 2019,
 * algorithm 2).
 */
export function adamScalars(
  t: number,
  learningRate: number,
  options: AdamOptions = {},
): Record<keyof AdamStep, number> {
  const { beta1, beta2, eps, weightDecay } = { ...defaults, ...options };
  const s = Math.sqrt((1 - beta2) / (1 - beta2 ** t));
  return {
    rate: (learningRate * (1 - beta1)) / (1 - beta1 ** t) / s,
    eps: eps / s,
    decay: 1 - learningRate * weightDecay,
  };
}

/** The numbers of one step, for a program that computes it outside of a graph. */
export type AdamNumbers = Readonly<Record<keyof AdamStep | "beta1" | "beta2", number>>;

/** Returns the numbers of step t, counted from 1, at a learning rate. */
export function adamNumbers(t: number, learningRate: number, options: AdamOptions = {}): AdamNumbers {
  const { beta1, beta2 } = { ...defaults, ...options };
  return { ...adamScalars(t, learningRate, options), beta1, beta2 };
}

/**
 * Builds one step of Adam as graph, so that parameter and moments stay in the engine. The form needs the fewest passes
 * over them: M' = β₁·M + g, V' = β₂·V + g², x' = x − rate·M'/(√V' + eps). With weight decay, x is multiplied by `decay` first.
 */
export function adamStep(
  { value, first, second }: AdamState,
  gradient: Node,
  { rate, eps, decay }: AdamStep,
  options: AdamOptions = {},
): AdamState {
  const { beta1, beta2, weightDecay } = { ...defaults, ...options };
  const m = add(mul(beta1, first), gradient);
  const v = add(mul(beta2, second), square(gradient));
  const update = mul(rate, div(m, add(sqrt(v), eps)));
  return { value: sub(weightDecay === 0 ? value : mul(decay, value), update), first: m, second: v };
}
