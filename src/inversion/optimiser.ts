import { combine, type Tensor } from "../core/index.ts";

/** Moves a tensor down its gradient, one step at a time. */
export interface Optimiser {
  /** Forgets the steps so far. */
  reset(): void;
  /** Returns x after one step down `gradient`, which has the shape of x. */
  step(x: Tensor, gradient: Tensor, learningRate: number): Tensor;
}

/** Gradient descent: x − scale·rate·gradient. A mean loss has a small gradient, so it needs larger rates than Adam. */
export const gradientDescent = (scale = 1): Optimiser => ({
  reset: () => undefined,
  step: (x, gradient, learningRate) => combine(1, x, -scale * learningRate, gradient),
});
