import { CheckpointError, EngineError, shapeText, type Work } from "../../core/index.ts";
import type { MappedWeight } from "../../graph/index.ts";
import type { Cache } from "../../storage/index.ts";
import { expandWeights } from "../../storage/node/index.ts";
import { isFloatDtype, type TensorRef, type WeightSet } from "../../weights/index.ts";
import type { MappedWeights } from "../mappedWeights.ts";

/**
 * Prepares weights to be mapped, as `Engine.mapWeights` says. F32 weights of a file stay where they are; F16 and BF16
 * weights, and weights in memory, are written once into one file of the cache.
 */
export async function mapWeights(
  weights: WeightSet,
  { cache, signal, onProgress }: Work & { cache: Cache },
): Promise<MappedWeights> {
  const toWrite = [...weights].filter(
    ([, { dtype, source }]) => isFloatDtype(dtype) && (dtype !== "F32" || source.path === undefined),
  );
  const refs = toWrite.map(([, ref]) => ref);
  const expanded = refs.length > 0 ? await expandWeights(refs, { cache, signal, onProgress }) : undefined;
  const mapped = new Map([...weights, ...toWrite.map(([name], i) => [name, expanded!.refs[i]] as const)]);
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
      if (gone) await expanded?.release();
    };
  };
  return { binding: (name, shape) => bindingOf(name, shape, mapped.get(name)), hold, release: hold() };
}

function bindingOf(name: string, shape: readonly number[], ref: TensorRef | undefined): MappedWeight {
  if (!ref) throw new CheckpointError("a weight is missing", { where: name, expected: shapeText(shape) });
  const where = `${ref.source.name}, "${name}"`;
  if (shapeText(ref.shape) !== shapeText(shape)) {
    throw new CheckpointError("shape", { where, found: shapeText(ref.shape), expected: shapeText(shape) });
  }
  if (ref.dtype !== "F32")
    throw new CheckpointError("dtype", { where, found: ref.dtype, expected: "F32, F16 or BF16" });
  return { source: ref.source, offset: ref.offset, length: ref.length };
}
