import type { Model, Size } from "../diffusion/index.ts";

/** The size to work at: what is asked for, or the model's own, square. Throws UsageError for one that it cannot make. */
export function workingSize(model: Model, asked?: Size): Size {
  const { size } = model.editing;
  const chosen = asked ?? { height: size, width: size };
  model.latentShape(chosen);
  return chosen;
}
