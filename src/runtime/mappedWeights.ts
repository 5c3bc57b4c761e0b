import { CheckpointError, EngineError, shapeText } from "../core/index.ts";
import type { MappedWeight } from "../graph/index.ts";
import type { TensorRef } from "../weights/index.ts";

/** Weights of one network in the dtype that a device computes in. Any number of programs share them. */
export interface MappedWeights {
  /**
   * The place of a weight. half: the program computes in float16, and takes it in either precision. Throws CheckpointError if
   * no weight has that name, or if its shape or dtype is another.
   */
  binding(name: string, shape: readonly number[], half?: boolean): MappedWeight;
  /** Keeps the weights until the returned function is called, even after `release`. Throws EngineError if they are gone. */
  hold(): () => Promise<void>;
  /** Frees them, or lets the cache delete their files, once no program holds them. */
  release(): Promise<void>;
}

/** Weights in their places. free: called once when nothing holds them. halved: places for programs that compute in float16. */
export function mappedWeights(
  refs: ReadonlyMap<string, TensorRef>,
  free: () => Promise<void> | void,
  halved: ReadonlyMap<string, TensorRef> = refs,
): MappedWeights {
  let holders = 0;
  let gone = false;
  const hold = (): (() => Promise<void>) => {
    if (gone) throw new EngineError("released weights were used");
    holders++;
    let holds = true;
    return async () => {
      if (!holds) return;
      holds = false;
      gone = --holders === 0;
      if (gone) await free();
    };
  };
  return {
    binding: (name, shape, half = false) => bindingOf(name, shape, (half ? halved : refs).get(name)),
    hold,
    release: hold(),
  };
}

function bindingOf(name: string, shape: readonly number[], ref: TensorRef | undefined): MappedWeight {
  if (!ref) throw new CheckpointError("a weight is missing", { where: name, expected: shapeText(shape) });
  const where = `${ref.source.name}, "${name}"`;
  if (shapeText(ref.shape) !== shapeText(shape)) {
    throw new CheckpointError("shape", { where, found: shapeText(ref.shape), expected: shapeText(shape) });
  }
  if (ref.dtype !== "F32" && ref.dtype !== "F16")
    throw new CheckpointError("dtype", { where, found: ref.dtype, expected: "F32, F16 or BF16" });
  return { source: ref.source, offset: ref.offset, length: ref.length, half: ref.dtype === "F16" };
}
