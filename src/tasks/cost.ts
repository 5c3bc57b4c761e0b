import type { Computed, Model } from "../diffusion/index.ts";

/** Time and computations of the U-Net of one part of a task. */
export interface Cost extends Computed {
  readonly seconds: number;
}

/** Costs of an edit. What the cache or another method has computed already costs nothing. */
export interface Costs {
  readonly prepare: Cost;
  readonly edit: Cost;
}

export const noCost: Cost = { seconds: 0, evaluations: 0, gradients: 0 };

/** Runs `work` and measures it. Other work on the same model at the same time counts too. */
export async function measured<T>(model: Model, work: () => Promise<T>): Promise<{ result: T; cost: Cost }> {
  const began = performance.now();
  const before = model.programs.computed("unet");
  const result = await work();
  const after = model.programs.computed("unet");
  const cost = {
    seconds: (performance.now() - began) / 1000,
    evaluations: after.evaluations - before.evaluations,
    gradients: after.gradients - before.gradients,
  };
  return { result, cost };
}
