import type { Tensor } from "../core/index.ts";
import type { Optimiser } from "./optimiser.ts";

const beta1 = 0.9;
const beta2 = 0.999;
const eps = 1e-8;

/** Adam on one tensor of n numbers. Kingma & Ba 2015, algorithm 1, with its constants. */
export class Adam implements Optimiser {
  private readonly first: Float32Array;
  private readonly second: Float32Array;
  private steps: number;

  /** moments: [2, …], updated in place, so that the caller can save and resume them. steps: number of steps so far. */
  constructor({ data }: Tensor, steps = 0) {
    this.first = data.subarray(0, data.length / 2);
    this.second = data.subarray(data.length / 2);
    this.steps = steps;
  }

  reset(): void {
    this.first.fill(0);
    this.second.fill(0);
    this.steps = 0;
  }

  step(x: Tensor, { data: gradient }: Tensor, learningRate: number): Tensor {
    this.steps++;
    const scale1 = 1 / (1 - beta1 ** this.steps);
    const scale2 = 1 / (1 - beta2 ** this.steps);
    const data = x.data.map((value, i) => {
      const first = beta1 * this.first[i] + (1 - beta1) * gradient[i];
      const second = beta2 * this.second[i] + (1 - beta2) * gradient[i] ** 2;
      this.first[i] = first;
      this.second[i] = second;
      return value - (learningRate * first * scale1) / (Math.sqrt(second * scale2) + eps);
    });
    return { shape: x.shape, data };
  }
}
