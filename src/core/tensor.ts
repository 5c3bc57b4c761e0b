import { GraphError } from "./errors.ts";

/** A dense row-major array of 32-bit floats. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A dense row-major array of integers: token ids, row numbers. */
export interface IntTensor {
  readonly shape: readonly number[];
  readonly data: Int32Array;
}

/** Returns a shape as text for messages: "[1, 4, 64, 64]". */
export const shapeText = (shape: readonly (number | string)[]): string => `[${shape.join(", ")}]`;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Wraps `data` as a tensor of `shape`. Throws GraphError if `data` has another length. */
export function tensor(shape: readonly number[], data: Float32Array = new Float32Array(sizeOf(shape))): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new GraphError("data does not fill its shape", {
      found: `${data.length} numbers`,
      expected: `${shapeText(shape)} = ${sizeOf(shape)}`,
    });
  }
  return { shape, data };
}

function sameShape(a: Tensor, b: Tensor): void {
  if (a.shape.length !== b.shape.length || a.shape.some((d, i) => d !== b.shape[i])) {
    throw new GraphError("shapes differ", { found: `${shapeText(a.shape)} and ${shapeText(b.shape)}` });
  }
}

/** Makes a tensor of f(a_i, b_i), computed in double precision and rounded once. Shapes must be equal. */
export function zip(a: Tensor, b: Tensor, f: (x: number, y: number) => number): Tensor {
  sameShape(a, b);
  const out = new Float32Array(a.data.length);
  for (let i = 0; i < out.length; i++) out[i] = f(a.data[i], b.data[i]);
  return { shape: a.shape, data: out };
}

/** a·x + b·y, elementwise. */
export const combine = (a: number, x: Tensor, b: number, y: Tensor): Tensor => zip(x, y, (u, v) => a * u + b * v);

/** from + (to − from)·w, elementwise; exactly `from` at w = 0 and exactly `to` at w = 1. */
export const lerp = (from: Tensor, to: Tensor, w: number): Tensor => zip(from, to, (u, v) => (1 - w) * u + w * v);

/** Returns `a` at the places of [..., h, w] that a mask of h·w places marks, else `b`. Shapes: equal. */
export const blend = (mask: readonly boolean[], a: Tensor, b: Tensor): Tensor => ({
  shape: a.shape,
  data: a.data.map((value, k) => (mask[k % mask.length] ? value : b.data[k])),
});

/** Returns the mean of (a − b)² over all elements. */
export function meanSquaredError(a: Tensor, b: Tensor): number {
  sameShape(a, b);
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i] - b.data[i]) ** 2;
  return sum / a.data.length;
}

/** Returns the root of the mean of squares. */
export function rootMeanSquare({ data }: Tensor): number {
  let sum = 0;
  for (const x of data) sum += x * x;
  return Math.sqrt(sum / data.length);
}

/** Stacks tensors of one shape [1, ...] or [n, ...] along the first axis. */
export function stack(rows: readonly Tensor[]): Tensor {
  const tail = rows[0].shape.slice(1);
  for (const r of rows) sameShape({ shape: tail, data: r.data }, { shape: r.shape.slice(1), data: r.data });
  const count = rows.reduce((n, r) => n + r.shape[0], 0);
  const out = tensor([count, ...tail]);
  let at = 0;
  for (const r of rows) {
    out.data.set(r.data, at);
    at += r.data.length;
  }
  return out;
}

/** Rows `from` to `to` (exclusive) of a batch. They share its memory. Throws GraphError if there are no such rows. */
export function rows({ shape, data }: Tensor, from: number, to: number): Tensor {
  const [count, ...tail] = shape;
  if (!(from >= 0 && from < to && to <= count)) {
    throw new GraphError("no such rows", { found: `${from}..${to - 1}`, expected: `within 0..${count - 1}` });
  }
  const n = sizeOf(tail);
  return { shape: [to - from, ...tail], data: data.subarray(from * n, to * n) };
}

/** Row `index` of a batch, as a batch of one. It shares the batch's memory. */
export const row = (batch: Tensor, index: number): Tensor => rows(batch, index, index + 1);

/** Returns the rows of a batch, each as a batch of one. They share its memory. */
export const unstack = (batch: Tensor): Tensor[] => Array.from({ length: batch.shape[0] }, (_, i) => row(batch, i));
