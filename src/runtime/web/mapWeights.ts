import { giveTurn, sizeOf, throwIfCancelled, type Work } from "../../core/index.ts";
import {
  isFloatDtype,
  memorySource,
  readBytes,
  readTensor,
  type TensorRef,
  type WeightSet,
} from "../../weights/index.ts";
import type { Precision } from "../engine.ts";
import { type MappedWeights, mappedWeights } from "../mappedWeights.ts";

/** Longest time without a turn for other work of this thread. */
const TURN_MS = 30;

/** The bytes of sources that hold mapped weights. */
const memory = new WeakMap<object, Uint8Array>();

/** The bytes of a weight file that `mapWeights` made. */
export const bytesOfSource = (source: object): Uint8Array | undefined => memory.get(source);

/** Memory that Workers can read without a copy, if the page may share memory. */
const sharedBytes = (length: number): Uint8Array =>
  new Uint8Array(globalThis.crossOriginIsolated ? new SharedArrayBuffer(length) : new ArrayBuffer(length));

/**
 * Reads weights into memory as float32, as `Engine.mapWeights` says: one array for the whole set, which all programs share and
 * every new Worker gets. With precision float16, F16 weights stay as they are. Weights that are no floats keep their place.
 */
export async function mapWeights(
  weights: WeightSet,
  { precision, signal, onProgress }: Work & { precision: Precision },
): Promise<MappedWeights> {
  const floats = [...weights].filter(([, { dtype }]) => isFloatDtype(dtype));
  const stays = ({ dtype }: TensorRef): boolean => dtype === "F16" && precision === "float16";
  /** float32 begins at multiples of 4 bytes. */
  const room = (ref: TensorRef): number => (stays(ref) ? 4 * Math.ceil(ref.length / 4) : 4 * sizeOf(ref.shape));
  const total = floats.reduce((sum, [, ref]) => sum + room(ref), 0);
  const bytes = sharedBytes(total);
  const name = floats[0]?.[1].source.name ?? "no weights";
  const source = memorySource(name, bytes);
  memory.set(source, bytes);
  const refs = new Map<string, TensorRef>(weights);
  let at = 0;
  let lastTurn = performance.now();
  for (const [key, ref] of floats) {
    throwIfCancelled(signal, "reading weights");
    // A browser delays every turn by 4 ms, and there are hundreds of weights.
    if (performance.now() > lastTurn + TURN_MS) {
      await giveTurn(signal, "reading weights");
      lastTurn = performance.now();
    }
    if (stays(ref)) {
      bytes.set(await readBytes(ref), at);
      refs.set(key, { ...ref, source, offset: at });
    } else {
      const { data } = await readTensor(ref);
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
      refs.set(key, { ...ref, dtype: "F32", source, offset: at, length: data.byteLength });
    }
    at += room(ref);
    onProgress?.({ phase: "expand weights", done: at, total, unit: "bytes" });
  }
  return mappedWeights(refs, () => undefined);
}
