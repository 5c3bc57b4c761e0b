import type { AdamNumbers } from "../graph/index.ts";
import { ADAM_PROGRAM } from "./adamProgram.ts";
import type { Request } from "./messages.ts";

/** The part of WebAssembly's interface that is used here. Node's types lack it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: { readonly step: Step } };
  Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
};

/** See adam.wat. */
type Step = (n: number, value: number, first: number, second: number, gradient: number, ...numbers: number[]) => void;

const PAGE = 65536;
/** Numbers of a gradient that are copied into WebAssembly's memory at once: so few that they stay in a cache. */
const TILE = 8192;
/** The program computes four float32 numbers at once. */
const VECTOR = 16;

/** Returns the bytes of a place for an array: whole vectors. */
const placeOf = ({ byteLength }: Float32Array): number => Math.ceil(byteLength / VECTOR) * VECTOR;

/** A memory for weights and moments. It begins with the tile of a gradient. */
interface AdamMemory {
  readonly step: Step;
  readonly tile: Float32Array;
}

const memories = new WeakMap<ArrayBufferLike, AdamMemory>();
let program: object | undefined;

/** Copies arrays into one memory, in which `adamInPlace` can change them. The memory is freed with the last of the copies. */
export function inOneMemory(arrays: readonly Float32Array[]): Float32Array[] {
  const bytes = arrays.reduce((sum, array) => sum + placeOf(array), 4 * TILE);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  program ??= new WebAssembly.Module(Uint8Array.from(atob(ADAM_PROGRAM), (char) => char.charCodeAt(0)));
  const { step } = new WebAssembly.Instance(program, { "": { memory } }).exports;
  memories.set(memory.buffer, { step, tile: new Float32Array(memory.buffer, 0, TILE) });
  let end = 4 * TILE;
  return arrays.map((array) => {
    const copy = new Float32Array(memory.buffer, end, array.length);
    copy.set(array);
    end += placeOf(array);
    return copy;
  });
}

/**
 * Takes a step of Adam on weights that `inOneMemory` returned together with their moments: `adamStep` of src/graph in one pass
 * over memory, where onnxruntime takes eleven and copies the results. arrayOf: returns a kept array by its number. Throws an
 * Error if a weight and its moments are in different memories.
 */
export function adamInPlace(
  { updates, numbers }: Request & { kind: "adam" },
  arrayOf: (resident: number) => Float32Array,
): void {
  for (const { value, first, second, gradient } of updates) {
    updateOne(arrayOf(value), arrayOf(first), arrayOf(second), arrayOf(gradient), numbers);
  }
}

function updateOne(
  value: Float32Array,
  first: Float32Array,
  second: Float32Array,
  gradient: Float32Array,
  { beta1, beta2, rate, eps, decay }: AdamNumbers,
): void {
  const memory = memories.get(value.buffer);
  if (!memory || first.buffer !== value.buffer || second.buffer !== value.buffer) {
    throw new Error("a weight and its moments were not put into one memory");
  }
  const { step, tile } = memory;
  for (let from = 0; from < value.length; from += TILE) {
    const part = gradient.subarray(from, from + TILE);
    tile.set(part);
    const at = ({ byteOffset }: Float32Array): number => byteOffset + 4 * from;
    step(part.length, at(value), at(first), at(second), tile.byteOffset, beta1, beta2, rate, eps, decay);
  }
}
