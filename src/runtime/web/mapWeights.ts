import { giveTurn, sizeOf, throwIfCancelled, type Work } from "../../core/index.ts";
import {
  type ByteSource,
  type FloatDtype,
  isFloatDtype,
  memorySource,
  readBytes,
  readTensor,
  type TensorRef,
  type WeightSet,
} from "../../weights/index.ts";
import type { Precision } from "../engine.ts";
import { type MappedWeights, mappedWeights } from "../mappedWeights.ts";
import type { FileWeight } from "./fileWeights.ts";

/** Longest time without a turn for other work of this thread. */
const TURN_MS = 30;

/** Where the bytes of sources are that `mapWeights` made. */
const places = new WeakMap<object, Uint8Array | FileWeight>();

/** Returns the bytes of a source that `mapWeights` made, or where they are in a file. */
export const placeOfSource = (source: object): Uint8Array | FileWeight | undefined => places.get(source);

/** Memory that Workers can read without a copy, if the page may share memory. */
const sharedBytes = (length: number): Uint8Array =>
  new Uint8Array(globalThis.crossOriginIsolated ? new SharedArrayBuffer(length) : new ArrayBuffer(length));

export interface MapOptions extends Work {
  readonly precision: Precision;
  /** If the weights of a network take more bytes as float32, they stay in their files. */
  readonly mostInMemory: number;
}

type FloatRef = TensorRef & { readonly dtype: FloatDtype };

/**
 * Prepares weights, as `Engine.mapWeights` says. Those of a small network are read into memory. Those of a large one stay in
 * their files, if the browser has them as files: the Worker reads one after the other when a program is loaded. Weights that
 * are no floats keep their place.
 */
export function mapWeights(weights: WeightSet, options: MapOptions): Promise<MappedWeights> {
  const floats = [...weights].filter((entry): entry is [string, FloatRef] => isFloatDtype(entry[1].dtype));
  const total = floats.reduce((sum, [, { shape }]) => sum + 4 * sizeOf(shape), 0);
  const isInFiles = floats.every(([, { source }]) => source.blob !== undefined);
  return isInFiles && total > options.mostInMemory
    ? leaveInFiles(weights, floats, options)
    : readIntoMemory(weights, floats, options);
}

/** Each weight becomes a source of its own: onnxruntime-web reads no file past its first 4 GB. */
async function leaveInFiles(
  weights: WeightSet,
  floats: readonly (readonly [string, FloatRef])[],
  { precision }: MapOptions,
): Promise<MappedWeights> {
  const inFile = (ref: FloatRef, half: boolean): TensorRef => {
    const count = sizeOf(ref.shape);
    const source: ByteSource = { ...ref.source, name: `${ref.source.name}, ${ref.name}` };
    places.set(source, { blob: ref.source.blob!, offset: ref.offset, dtype: ref.dtype, count, half });
    return { ...ref, source, dtype: half ? "F16" : "F32", offset: 0, length: (half ? 2 : 4) * count };
  };
  // Biases and the weights of norms are small, and norms take them as float32.
  const isHalf = ({ shape }: TensorRef): boolean => precision === "float16" && shape.length > 1;
  const whole = new Map([...weights, ...floats.map(([name, ref]) => [name, inFile(ref, false)] as const)]);
  const halved = floats.filter(([, ref]) => isHalf(ref)).map(([name, ref]) => [name, inFile(ref, true)] as const);
  return mappedWeights(whole, () => undefined, new Map([...whole, ...halved]));
}

/**
 * Reads weights as float32 into one array for the whole set, which all programs share and every new Worker gets. With precision
 * float16, F16 weights stay as they are.
 */
async function readIntoMemory(
  weights: WeightSet,
  floats: readonly (readonly [string, FloatRef])[],
  { precision, signal, onProgress }: MapOptions,
): Promise<MappedWeights> {
  const stays = ({ dtype }: TensorRef): boolean => dtype === "F16" && precision === "float16";
  /** float32 begins at multiples of 4 bytes. */
  const room = (ref: TensorRef): number => (stays(ref) ? 4 * Math.ceil(ref.length / 4) : 4 * sizeOf(ref.shape));
  const total = floats.reduce((sum, [, ref]) => sum + room(ref), 0);
  const bytes = sharedBytes(total);
  const name = floats[0]?.[1].source.name ?? "no weights";
  const source = memorySource(name, bytes);
  places.set(source, bytes);
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
