import { sizeOf } from "../core/index.ts";
import {
  dtypeBytes,
  inOrder,
  isParameter,
  type Node,
  type Program,
  type Shape,
  viewOf,
  type WeightSource,
  withBatch,
} from "../graph/index.ts";
import { arenaPeak, fixedValues } from "./buffers.ts";
import type { LoadOptions } from "./engine.ts";

/** Memory of a program that is loaded and has run at least once, in bytes. */
export interface MemoryEstimate {
  /** The engine's process with onnxruntime, which all programs share. */
  process: number;
  /** onnxruntime's own data about the program's operations. */
  operations: number;
  /** Pages of weight files. Programs over the same files share them. */
  mapped: number;
  /** Weights that onnxruntime copies: constants of the graph, and all weights if it repacks them or changes layouts. */
  copied: number;
  /** Most bytes of activations, with what kernels need while they run. */
  activations: number;
  /** Inputs and outputs in JavaScript's memory, and tensors beside them. */
  transfer: number;
  total: number;
}

export interface EstimateOptions extends Pick<LoadOptions, "level" | "prepack"> {
  /** Rows of the largest batch. Default 1. */
  batch?: number;
  /** Bytes of tensors that stay in the engine beside the program's inputs and outputs. Default 0. */
  beside?: number;
}

/** Node with onnxruntime loaded, measured on Linux x64 with version 1.30. */
const processBytes = 60e6;
/** onnxruntime's data about an operation: its node, kernel and names. Measured over graphs of 100 to 15,000 operations. */
const operationBytes = 6500;

/** V8 looks for arrays that nothing uses any more after so many bytes of new ones. Results of an earlier run may be among them. */
const uncollectedBytes = 64 * 2 ** 20;

/** Bytes that `places` cover. Bytes that several of them share count once. */
function mappedBytes(places: Program["weights"]): number {
  const ends = new Map<WeightSource, number>();
  let total = 0;
  for (const { source, offset, length } of places.toSorted((a, b) => a.offset - b.offset)) {
    const covered = ends.get(source) ?? 0;
    total += Math.max(0, offset + length - Math.max(offset, covered));
    ends.set(source, Math.max(covered, offset + length));
  }
  return total;
}

/**
 * Returns what tells weights, also parts of one or one with another shape, which programs read where they are. If weights are
 * float16 in their places, those in float16 are read there too.
 */
const isWeightIn =
  ({ weights }: Pick<Program, "weights">) =>
  (x: Node): boolean =>
    isParameter(x) || (viewOf(x) !== undefined && (x.dtype === "float32" || weights.some(({ half }) => half)));

/** Returns all inputs of `nodes` for which `which` is true, once for each operation that reads them. */
const readsOf = (nodes: readonly Node[], which: (x: Node) => boolean): Node[] =>
  nodes.flatMap(({ inputs }) => inputs.filter(which));

/**
 * Estimates the memory of a compiled program on a CPU before it is loaded. It walks the graph in the order in which
 * onnxruntime runs it, and places buffers as onnxruntime's planner and arena do. Other devices keep weights and activations
 * in their own memory; there the estimate is for that and the process together.
 */
export function estimateMemory(
  { graph, weights, inputs, outputs }: Pick<Program, "graph" | "weights" | "inputs" | "outputs">,
  { batch = 1, beside = 0, level = "basic", prepack = false }: EstimateOptions = {},
): MemoryEstimate {
  const nodes = inOrder(graph);
  const bytes = (values: readonly { shape: Shape }[]): number =>
    values.reduce((sum, { shape }) => sum + 4 * sizeOf(withBatch(shape, batch)), 0);
  const isRepacked = weights.length > 0 && (prepack || level === "all");
  const fixed = fixedValues(nodes);
  const running = nodes.filter((node) => !fixed.has(node));
  const isWeight = isWeightIn({ weights });
  const made = new Set(readsOf(running, (x) => fixed.has(x) && !isWeight(x)));
  const parts = {
    process: processBytes,
    operations: operationBytes * nodes.length,
    mapped: isRepacked ? 0 : mappedBytes(weights),
    // If weights are repacked, each operation has its own copy in its own layout.
    copied: bytes([...made]) + (isRepacked ? bytes(readsOf(running, isWeight)) : 0),
    activations: arenaPeak(graph, batch),
    transfer: bytes(inputs) + bytes(outputs) + Math.min(bytes(outputs), uncollectedBytes) + beside,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}

/** Returns the bytes of the largest weight or value of a compiled program with `batch` rows: a device needs a buffer for it. */
export function largestValue({ graph, weights }: Pick<Program, "graph" | "weights">, batch: number): number {
  const isWeight = isWeightIn({ weights });
  const values = inOrder(graph).filter((node) => !isWeight(node));
  const sizes = values.map(({ dtype, shape }) => dtypeBytes[dtype] * sizeOf(withBatch(shape, batch)));
  return [...sizes, ...weights.map(({ length }) => length)].reduce((most, size) => Math.max(most, size), 0);
}
