import type { Tensor } from "../../core/index.ts";
import type { LatentShapes, Size } from "../../diffusion/index.ts";

/** What the bits of a prepared value depend on besides its settings. */
export interface Origin {
  /** SHA-256 of the model's weights and configurations. */
  readonly model: string;
  /** SHA-256 of the picture at the size to work at. */
  readonly picture: string;
  readonly device: string;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** What the caller knows of it: `versions` are those of programs beside the engine's. The engine tells the rest. */
export type KnownOrigin = Pick<Origin, "model" | "picture"> & Partial<Pick<Origin, "versions">>;

/**
 * What a method prepares from one photo and one target prompt: all that its edits need of the photo. One kind of value,
 * one file format and one cache for all methods. Step-wise tensors are noisiest first.
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
  /** Steps that are in the tensors, of all. */
  readonly progress: { done: number; readonly total: number };
}

export const isComplete = ({ progress: { done, total } }: Pick<Prepared, "progress">): boolean => done === total;
