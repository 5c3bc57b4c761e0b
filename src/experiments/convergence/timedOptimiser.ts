import type { Progress } from "../../core/index.ts";
import type { Arithmetic } from "../../diffusion/index.ts";
import type { Descent, Optimiser } from "../../inversion/index.ts";

/** An optimiser that notes when tuning of each sampling step begins, and when each of its iterations ends. */
export class TimedOptimiser implements Optimiser {
  /** Seconds from the first call to the end of DDIM inversion. */
  ddimSeconds = 0;
  /** For each sampling step, seconds since tuning began. The last list holds only the end of tuning. */
  steps: number[][] = [];
  private readonly inner: Optimiser;
  private readonly created = performance.now();
  private began = 0;

  constructor(inner: Optimiser) {
    this.inner = inner;
  }

  /** Hears of the progress of `prepare`. */
  hear({ phase }: Progress): void {
    if (phase === "tune") this.steps.push([this.elapsed()]);
    else {
      this.began = performance.now();
      this.ddimSeconds = (this.began - this.created) / 1000;
      this.steps = [[0]];
    }
  }

  reset(): void {
    this.inner.reset();
  }

  async begin(math: Arithmetic): Promise<Descent> {
    const inner = await this.inner.begin(math);
    return {
      step: async (x, gradient, learningRate) => {
        const next = await inner.step(x, gradient, learningRate);
        this.steps.at(-1)?.push(this.elapsed());
        return next;
      },
      end: () => inner.end(),
    };
  }

  private elapsed(): number {
    return (performance.now() - this.began) / 1000;
  }
}
