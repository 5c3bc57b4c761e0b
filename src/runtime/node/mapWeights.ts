import type { Work } from "../../core/index.ts";
import type { Cache } from "../../storage/index.ts";
import { expandWeights } from "../../storage/node/index.ts";
import { isFloatDtype, type WeightSet } from "../../weights/index.ts";
import { type MappedWeights, mappedWeights } from "../mappedWeights.ts";

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
  return mappedWeights(mapped, () => expanded?.release());
}
