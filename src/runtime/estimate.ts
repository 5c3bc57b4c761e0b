import { sizeOf } from "../core/index.ts";
import {
  inOrder,
  isParameter,
  type Node,
  type Program,
  type Shape,
  type WeightSource,
  withBatch,
} from "../graph/index.ts";
import { arenaPeak, fixedValues } from "./buffers.ts";
import type { LoadOptions } from "./engine.ts";

/** Memory that a program takes while it is loaded and has run at least once, in bytes. */
export interface MemoryEstimate {
  /** The engine's process with onnxruntime in it, which all its programs share. */
  process: number;
  /** What onnxruntime keeps of the program's operations. */
  operations: number;
  /** Pages of weight files, which other programs over the same files share. */
  mapped: number;
  /** Weights that it copies: constants of the graph, and all where it is loaded repacked or in other layouts. */
  copied: number;
  /** Activations and what kernels need while they run, at their worst. */
  activations: number;
  /** Inputs and outputs, as they are moved. */
  transfer: number;
  total: number;
}

export interface EstimateOptions extends Pick<LoadOptions, "level" | "prepack"> {
  /** Rows of the largest batch that it will run. Default 1. */
  batch?: number;
}

/** Node with onnxruntime loaded, measured on Linux x64 with version 1.30. */
const processBytes = 60e6;
/** What onnxruntime keeps of an operation: its node, kernel and names. Measured over graphs of 100 to 15,000. */
const operationBytes = 6500;

/** Bytes of the pages in any of `places`; views of one weight count once. */
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

/** A weight, or its bytes under another shape. */
const isWeight = (x: Node): boolean => isParameter(x) || (x.op.name === "reshape" && isParameter(x.inputs[0]));

/** Every read of a value by an operation, of values that `which` says yes to. */
const readsOf = (nodes: readonly Node[], which: (x: Node) => boolean): Node[] =>
  nodes.flatMap(({ inputs }) => inputs.filter(which));

/**
 * What a compiled program needs on a CPU, before anything of it is loaded: the graph is walked in the order in which
 * onnxruntime runs it, its buffers placed as onnxruntime's planner and arena place them. Other devices keep weights and
 * activations in memory of their own; there the estimate is of that and this together.
 */
export function estimateMemory(
  { graph, weights, inputs, outputs }: Pick<Program, "graph" | "weights" | "inputs" | "outputs">,
  { batch = 1, level = "basic", prepack = false }: EstimateOptions = {},
): MemoryEstimate {
  const nodes = inOrder(graph);
  const bytes = (values: readonly { shape: Shape }[]): number =>
    values.reduce((sum, { shape }) => sum + 4 * sizeOf(withBatch(shape, batch)), 0);
  const isRepacked = weights.length > 0 && (prepack || level === "all");
  const fixed = fixedValues(nodes);
  const running = nodes.filter((node) => !fixed.has(node));
  const made = new Set(readsOf(running, (x) => fixed.has(x) && !isWeight(x)));
  const parts = {
    process: processBytes,
    operations: operationBytes * nodes.length,
    mapped: isRepacked ? 0 : mappedBytes(weights),
    // Repacked, each operation has a copy of its own, in the layout that suits it.
    copied: bytes([...made]) + (isRepacked ? bytes(readsOf(running, isWeight)) : 0),
    activations: arenaPeak(graph, batch),
    transfer: bytes(inputs) + bytes(outputs),
  };
  return { ...parts, total: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}
