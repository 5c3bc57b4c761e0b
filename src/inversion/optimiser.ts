import type { Arithmetic, Value } from "../diffusion/index.ts";

/** Moves a tensor down its gradient, one step at a time. */
export interface Optimiser {
  /** Forgets the steps so far. */
  reset(): void;
  /** Begins steps whose tensors are values of `math`. */
  begin(math: Arithmetic): Promise<Descent>;
}

/** Steps of an optimiser. */
export interface Descent {
  /** Returns x after one step down `gradient`, which has the shape of x. */
  step(x: Value, gradient: Value, learningRate: number): Promise<Value>;
  /** Stores what the optimiser must know to go on. */
  end(): Promise<void>;
}

/** Gradient descent: x − scale·rate·gradient. A mean loss has a small gradient, so it needs larger rates than Adam. */
export const gradientDescent = (scale = 1): Optimiser => ({
  reset: () => undefined,
  begin: async (math) => ({
    step: (x, gradient, learningRate) => math.combine(1, x, -scale * learningRate, gradient),
    end: async () => undefined,
  }),
});
