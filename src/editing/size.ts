import { CheckpointError } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";

/**
 * The size to work at: what is asked for, or the model's own, square. Throws UsageError for a size that the model cannot
 * make, CheckpointError where that is its own.
 */
export function workingSize(model: Model, asked?: Size): Size {
  const { size } = model.editing;
  if (!asked && size % model.factor !== 0) {
    throw new CheckpointError("the model's own size is none that it can make", {
      where: `${model.name}, editing.json, "size"`,
      found: `${size}`,
      expected: `a multiple of the VAE's factor, ${model.factor}`,
    });
  }
  const chosen = asked ?? { height: size, width: size };
  model.latentShape(chosen);
  return chosen;
}
