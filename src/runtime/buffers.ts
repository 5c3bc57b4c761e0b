import { sizeOf } from "../core/index.ts";
import { dtypeBytes, inOrder, isInput, type Node, withBatch } from "../graph/index.ts";
import { Arena } from "./arena.ts";

/**
 * Order in which onnxruntime runs a graph: depth first, backwards from the last node that nothing reads. Of several inputs,
 * the one that was written last comes first.
 */
function executionOrder(outputs: readonly Node[]): Node[] {
  const written = inOrder(outputs);
  const number = new Map(written.map((node, i) => [node, i]));
  const read = new Set(written.flatMap(({ inputs }) => inputs));
  const ends = outputs.filter((node) => !read.has(node)).toSorted((a, b) => number.get(a)! - number.get(b)!);
  const order: Node[] = [];
  const visited = new Set<Node>();
  const stack = ends.map((node) => ({ node, done: false }));
  while (stack.length > 0) {
    const { node, done } = stack.pop()!;
    if (done) order.push(node);
    else if (!visited.has(node)) {
      visited.add(node);
      stack.push({ node, done: true });
      const inputs = [...new Set(node.inputs)].sort((a, b) => number.get(a)! - number.get(b)!);
      for (const input of inputs) stack.push({ node: input, done: false });
    }
  }
  return order;
}

/** Values that depend on no input: weights, constants, and what is computed from them once, when the program is loaded. */
export function fixedValues(order: readonly Node[]): Set<Node> {
  const fixed = new Set<Node>();
  for (const node of order) if (!isInput(node) && node.inputs.every((x) => fixed.has(x))) fixed.add(node);
  return fixed;
}

/** A piece of memory that several values use, one after the other. */
interface Buffer {
  shape: string;
  bytes: number;
  /** Reads to come, of all values that were planned into it so far. */
  uses: number;
  /** Index of the last step that reads or writes it. */
  last: number;
}

/** Returns the buffer of every value of `order`, as onnxruntime's planner decides it before the first run. */
function planBuffers(order: readonly Node[], outputs: readonly Node[], batch: number): Map<Node, Buffer> {
  const reads = new Map<Node, number>(outputs.map((node) => [node, 1]));
  for (const { inputs } of order) for (const input of inputs) reads.set(input, (reads.get(input) ?? 0) + 1);
  const place = new Map<Node, Buffer>();
  const fixed = fixedValues(order);
  // Freed buffers, the latest first. A value of exactly the same shape takes one over, so it does not go back to the arena.
  const free: Buffer[] = [];
  order.forEach((node, step) => {
    if (isInput(node) || fixed.has(node)) return;
    const shape = withBatch(node.shape, batch);
    const key = `${shape}`;
    const { view, inPlace } = node.op.memory ?? {};
    const first = place.get(node.inputs[0]);
    const overwritten = inPlace && first?.uses === 1 && first.shape === key ? first : undefined;
    const again = free.findIndex((buffer) => buffer.shape === key);
    const bytes = dtypeBytes[node.dtype] * sizeOf(shape);
    const buffer = view
      ? first
      : (overwritten ?? (again >= 0 ? free.splice(again, 1)[0] : { shape: key, bytes, uses: 0, last: step }));
    if (buffer) {
      buffer.uses += reads.get(node) ?? 0;
      buffer.last = step;
      place.set(node, buffer);
    }
    for (const input of node.inputs) {
      const read = place.get(input);
      if (!read) continue;
      read.last = step;
      if (--read.uses === 0) free.unshift(read);
    }
  });
  return place;
}

/** The first run leaves the arena split into chunks, so the second may need more. A third never does. */
const RUNS = 2;

/** Returns the bytes of the arena after the graph has run: values while they live, and what kernels need while they run. */
export function arenaPeak(outputs: readonly Node[], batch: number): number {
  const order = executionOrder(outputs);
  const place = planBuffers(order, outputs, batch);
  // Outputs are held until the run is over.
  const held = new Set(outputs.flatMap((node) => place.get(node) ?? []));
  const ends = new Map<number, Buffer[]>();
  for (const buffer of new Set(place.values())) {
    if (!held.has(buffer)) ends.set(buffer.last, [...(ends.get(buffer.last) ?? []), buffer]);
  }
  const arena = new Arena();
  for (let run = 0; run < RUNS; run++) {
    const chunks = new Map<Buffer, ReturnType<Arena["allocate"]>>();
    order.forEach((node, step) => {
      const buffer = place.get(node);
      if (buffer && !chunks.has(buffer)) chunks.set(buffer, arena.allocate(buffer.bytes));
      const shapes = node.inputs.map((input) => withBatch(input.shape, batch));
      const pieces = buffer && node.op.memory?.workspace?.(shapes, withBatch(node.shape, batch), node.attrs);
      for (const piece of (pieces ?? []).map((length) => arena.allocate(4 * length))) arena.release(piece);
      for (const ended of ends.get(step) ?? []) arena.release(chunks.get(ended)!);
    });
    for (const buffer of held) arena.release(chunks.get(buffer)!);
  }
  return arena.peak;
}
