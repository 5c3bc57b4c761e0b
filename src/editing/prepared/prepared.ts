import type { Tensor } from "../../core/index.ts";
import type { LatentShapes, Size } from "../../diffusion/index.ts";
import type { WeightSet } from "../../weights/index.ts";

/** Origin of a prepared value: everything that its bits depend on besides its settings. */
export interface Origin {
  /** SHA-256 of the model's weights and configurations. */
  readonly model: string;
  /** SHA-256 of the picture at the size to work at. */
  readonly picture: string;
  /** SHA-256 of the larger photo that the method reads too (`Method.photoScale`). Absent if it reads none. */
  readonly larger?: string;
  readonly device: string;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** The part of an origin that the caller gives. versions: those of programs other than the engine, which adds its own. */
export type KnownOrigin = Pick<Origin, "model" | "picture"> & Partial<Pick<Origin, "larger" | "versions">>;

/**
 * The result of preparing one photo for one target prompt: everything that edits need of the photo. All methods share one
 * kind of value, one file format and one cache. Step-wise tensors are noisiest first.
 */
export interface Prepared<Settings = Record<string, unknown>, T extends string = string> {
  /** Name of the method. */
  readonly method: string;
  readonly target: string;
  /** Caption of the photo, if the method needs one. */
  readonly source?: string;
  readonly size: Size;
  readonly settings: Settings;
  readonly origin: Origin;
  /** Model timesteps t_i, noisiest first. */
  readonly timesteps: readonly number[];
  readonly shapes: LatentShapes;
  readonly tensors: Readonly<Record<T, Tensor>>;
  /**
   * Sets of weights that preparing has tuned so far, by the names that `Method.weightSets` gives them. They stay in their
   * file, or in the engine, until they are read. Absent if there are none.
   */
  weights?: Readonly<Record<string, WeightSet>>;
  /** Number of finished steps, and of all steps. */
  readonly progress: { done: number; readonly total: number };
}

export const isComplete = ({ progress: { done, total } }: Pick<Prepared, "progress">): boolean => done === total;
