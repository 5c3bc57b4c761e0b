import { row, type Tensor } from "../core/index.ts";
import type { Size } from "../diffusion/index.ts";
import type { InversionSettings } from "./options.ts";

/** Where an inversion comes from, and what its bits depend on. */
export interface Origin {
  /** Hash of the model's weights and configurations. */
  readonly model: string;
  /** Hash of the picture as the model saw it. */
  readonly picture: string;
  readonly device: string;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** What the caller knows of it: `versions` are those of programs beside the engine's. The engine tells the rest. */
export type KnownOrigin = Pick<Origin, "model" | "picture"> & Partial<Pick<Origin, "versions">>;

/** What happened at each step, noisiest first; NaN where there was no further iteration. K: most iterations a step. */
export interface Trace {
  /** Loss before each iteration, then that of the embedding they end with: [N, K + 1]. */
  readonly loss: Tensor;
  /** Root mean square of each iteration's gradient, [N, K]. */
  readonly gradientRms: Tensor;
}

/**
 * One photo inverted towards one target sentence: all that an edit needs of the photo. Step-wise arrays are noisiest
 * first. Reused for every choice of α, attention and edit guidance.
 */
export interface Inversion {
  readonly target: string;
  readonly size: Size;
  readonly settings: InversionSettings;
  readonly origin: Origin;
  /** Model timesteps t_i. */
  readonly timesteps: readonly number[];
  /** z*, DDIM inversion's latents, [N + 1, C, h, w]; the last is the photo's own. */
  readonly inverted: Tensor;
  /** C, the tuned embeddings, [N, L, D]. */
  readonly embeddings: Tensor;
  /** z̄, where sampling with C leads, [N + 1, C, h, w]. */
  readonly reconstruction: Tensor;
  readonly trace: Trace;
  /** Adam's moments after the last tuned step, [2, L, D]. */
  readonly moments: Tensor;
  /** Steps of both phases that are in the arrays. */
  readonly done: { readonly inverted: number; readonly tuned: number };
}

export const isComplete = ({ done, settings }: Inversion): boolean =>
  done.inverted === settings.steps && done.tuned === settings.steps;

/** Iterations of each step. */
export const iterationsOf = ({ trace, settings }: Inversion): number[] =>
  Array.from(
    { length: settings.steps },
    (_, i) => row(trace.gradientRms, i).data.filter((x) => !Number.isNaN(x)).length,
  );
