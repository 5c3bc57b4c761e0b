import type { Work } from "../../core/index.ts";
import type { Cache } from "../../storage/index.ts";
import { expandWeights } from "../../storage/node/index.ts";
import { isFloatDtype, type TensorRef, type WeightSet } from "../../weights/index.ts";
import type { Precision } from "../engine.ts";
import { type MappedWeights, mappedWeights } from "../mappedWeights.ts";

/**
 * Prepares weights to be mapped, as `Engine.mapWeights` says. F32 weights of a file stay where they are; F16 and BF16
 * weights, and weights in memory, are written once into one file of the cache. With precision float16, F16 weights of a file
 * stay there too.
 */
export async function mapWeights(
  weights: WeightSet,
  { cache, precision, signal, onProgress }: Work & { cache: Cache; precision: Precision },
): Promise<MappedWeights> {
  const isReady = ({ dtype, source }: TensorRef): boolean =>
    source.path !== undefined && (dtype === "F32" || (dtype === "F16" && precision === "float16"));
  const toWrite = [...weights].filter(([, ref]) => isFloatDtype(ref.dtype) && !isReady(ref));
  const refs = toWrite.map(([, ref]) => ref);
  const expanded = refs.length > 0 ? await expandWeights(refs, { cache, signal, onProgress }) : undefined;
  const mapped = new Map([...weights, ...toWrite.map(([name], i) => [name, expanded!.refs[i]] as const)]);
  return mappedWeights(mapped, () => expanded?.release());
}
