import type { MappedWeight } from "../graph/index.ts";

/** Weights of one network in the dtype that a device computes in. Any number of programs share them. */
export interface MappedWeights {
  /** The place of a weight. Throws CheckpointError if no weight has that name, or if its shape or dtype is another. */
  binding(name: string, shape: readonly number[]): MappedWeight;
  /** Keeps the weights until the returned function is called, even after `release`. Throws EngineError if they are gone. */
  hold(): () => Promise<void>;
  /** Frees them, or lets the cache delete their files, once no program holds them. */
  release(): Promise<void>;
}
