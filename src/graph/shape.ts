import { GraphError, shapeText } from "../core/index.ts";

/** A length that is known when the graph is built, or a multiple of the batch size: "B" is the batch size, "77B" 77 times it. */
export type Dim = number | `${number | ""}B`;
export type Shape = readonly Dim[];

export const isSymbolic = (d: Dim): d is `${number | ""}B` => typeof d === "string";

const factor = (d: Dim): number => (isSymbolic(d) ? Number(d.slice(0, -1) || 1) : d);
const dim = (count: number, symbolic: boolean): Dim => (symbolic ? (count === 1 ? "B" : `${count}B`) : count);

/** Returns the product of dimensions. Throws GraphError if two of them depend on the batch. */
export function product(shape: Shape): Dim {
  const symbolic = shape.filter(isSymbolic).length;
  if (symbolic > 1) throw new GraphError("two lengths depend on the batch", { found: shapeText(shape) });
  return dim(
    shape.reduce<number>((n, d) => n * factor(d), 1),
    symbolic === 1,
  );
}

/** Returns the number of elements. Throws GraphError if it depends on the batch. */
export function count(shape: Shape): number {
  const n = product(shape);
  if (isSymbolic(n)) throw new GraphError("this needs a fixed batch", { found: shapeText(shape) });
  return n;
}

/** Returns the batch size for which `dim` is `length`. Returns undefined if there is none, or if `dim` is fixed. */
export function batchSizeOf(dim: Dim, length: number): number | undefined {
  const batch = isSymbolic(dim) ? length / factor(dim) : Number.NaN;
  return Number.isInteger(batch) && batch > 0 ? batch : undefined;
}

/** `shape` for a batch of a given size. */
export const withBatch = (shape: Shape, batch: number): number[] =>
  shape.map((d) => (isSymbolic(d) ? batch : 1) * factor(d));

/** a/b for dimensions. Throws GraphError if it is not whole. */
export function divide(a: Dim, b: number): Dim {
  const n = factor(a) / b;
  if (!Number.isInteger(n)) throw new GraphError("a length is not divisible", { found: `${a} by ${b}` });
  return dim(n, isSymbolic(a));
}

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** Returns the shape of an elementwise operation on a and b, by NumPy's rules. Throws GraphError if they do not broadcast. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new GraphError("shapes do not broadcast", { found: `${shapeText(a)} and ${shapeText(b)}` });
    return x === 1 ? y : x;
  });
}

/** Converts an axis that may be counted from the end. Throws GraphError if `shape` has no such axis. */
export function axisOf(shape: Shape, axis: number): number {
  const at = axis < 0 ? shape.length + axis : axis;
  if (!(Number.isInteger(at) && at >= 0 && at < shape.length)) {
    throw new GraphError("no such axis", { found: `${axis}`, expected: `an axis of ${shapeText(shape)}` });
  }
  return at;
}

/** Returns the length of `axis`. Throws GraphError if it depends on the batch. */
export function fixed(shape: Shape, axis: number): number {
  const d = shape[axisOf(shape, axis)];
  if (isSymbolic(d))
    throw new GraphError("the length of this axis must not depend on the batch", {
      found: `axis ${axis} of ${shapeText(shape)}`,
    });
  return d;
}
