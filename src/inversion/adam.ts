import { stack, type Tensor, unstack } from "../core/index.ts";
import type { Arithmetic } from "../diffusion/index.ts";
import type { Descent, Optimiser } from "./optimiser.ts";

/** Adam on one tensor [1, …]. Kingma & Ba 2015, algorithm 1, with its constants. */
export class Adam implements Optimiser {
  private readonly moments: Tensor;
  private steps: number;

  /** moments: [2, …], changed when steps end, so that the caller can save and resume them. steps: number of steps so far. */
  constructor(moments: Tensor, steps = 0) {
    this.moments = moments;
    this.steps = steps;
  }

  reset(): void {
    this.moments.data.fill(0);
    this.steps = 0;
  }

  async begin(math: Arithmetic): Promise<Descent> {
    let [first, second] = await math.put(unstack(this.moments));
    return {
      step: async (value, gradient, learningRate) => {
        this.steps++;
        const next = await math.adam({ value, first, second }, gradient, this.steps, learningRate);
        math.release(first, second);
        ({ first, second } = next);
        return next.value;
      },
      end: async () => this.moments.data.set(stack(await math.read([first, second])).data),
    };
  }
}
