import type { Attributes } from "../../src/graph/index.ts";
import * as r from "./reference.ts";

/** One use of an operation. Float inputs are random numbers, row numbers are random too. */
export interface Case {
  shapes: number[][];
  attrs?: Attributes;
  reference: (xs: r.Nd[]) => r.Nd;
  /** For inputs that are row numbers, the number of rows. */
  rows?: Record<number, number>;
  /** Inputs of which only the shape matters. */
  shapeOnly?: number[];
  /** Inputs are 0.2..1.5. Default: ±0.2..1.5. */
  positive?: boolean;
  /** The gradient is zero where it exists. */
  flat?: boolean;
}

const x = [[2, 3, 4]];
const pairs = [
  [
    [2, 3, 4],
    [2, 3, 4],
  ],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [[4], [2, 3, 1]],
  [[], [2, 3]],
];
const unary = (f: (x: number) => number, more: Partial<Case> = {}): Case[] => [
  { shapes: x, reference: r.unary(f), ...more },
];
const binary = (f: (a: number, b: number) => number): Case[] =>
  pairs.map((shapes) => ({ shapes, reference: r.binary(f) }));
const reductions = (f: (values: number[]) => number): Case[] =>
  [
    { axes: [2], keep: false },
    { axes: [0, 2], keep: true },
    { axes: [0, 1, 2], keep: false },
  ].map((attrs) => ({ shapes: x, attrs, reference: r.reduction(attrs.axes, attrs.keep, f) }));
const products = (a: number[], b: number[], transA: boolean, transB: boolean, alpha = 1): Case => {
  const swapped = (shape: number[], swap: boolean) =>
    swap ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
  const attrs = { transA, transB, alpha };
  return { shapes: [swapped(a, transA), swapped(b, transB)], attrs, reference: r.matmul(attrs) };
};
const heads = (shapes: number[][], n: number, causal = false): Case => ({
  shapes,
  attrs: { heads: n, causal },
  reference: r.attention(n, causal),
});
type Pads = [number, number, number, number];
const convolution = (size: number[], kernel: number[], stride: number, pads: Pads, bias = false): Case => {
  const [h, w] = [0, 1].map((a) => Math.floor((size[a] + pads[a] + pads[a + 2] - kernel[a]) / stride) + 1);
  const shapes = [[2, 3, ...size], [2, 3, ...kernel], ...(bias ? [[2]] : [])];
  return { shapes, attrs: { stride, pads }, reference: r.conv2d({ stride, pads }, [h, w]) };
};
const transposed = (from: number[], kernel: number[], stride: number, pads: Pads, [height, width]: number[]): Case => ({
  shapes: [
    [2, 3, ...from],
    [3, 2, ...kernel],
  ],
  attrs: { stride, pads, height, width },
  reference: r.convTranspose2d({ stride, pads }, [height, width]),
});

const pooling = (size: number[], attrs: r.Pooling): Case => ({
  shapes: [[2, 2, ...size]],
  attrs: { ...attrs },
  reference: r.maxPool(attrs),
});
const overlapping = pooling([7, 6], { kernel: 3, stride: 2, pads: [0, 0, 0, 0], ceil: true });

/** Cases of every operation, by its name in the table. */
export const cases: Record<string, Case[]> = {
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  neg: unary((v) => -v),
  exp: unary(Math.exp),
  log: unary(Math.log, { positive: true }),
  sqrt: unary(Math.sqrt, { positive: true }),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  step: unary((v) => (v > 0 ? 1 : 0), { flat: true }),
  relu: unary((v) => Math.max(v, 0)),
  tanh: unary(Math.tanh),
  erf: unary(r.erf),
  sigmoid: unary(r.sigmoid),
  silu: unary((v) => v * r.sigmoid(v)),
  quickGelu: unary((v) => v * r.sigmoid(1.702 * v)),
  gelu: unary((v) => (v / 2) * (1 + r.erf(v * Math.SQRT1_2))),
  reshape: [{ shapes: x, attrs: { shape: [3, 8] }, reference: r.reshape([3, 8]) }],
  broadcastLike: [[3, 1], [2, 1, 4], []].map((shape) => ({
    shapes: [shape, [2, 3, 4]],
    reference: r.broadcastLike,
    shapeOnly: [1],
  })),
  sum: reductions(r.sumOf),
  mean: reductions(r.meanOf),
  softmax: [{ shapes: x, reference: r.softmax }],
  linear: [
    { shapes: [[2, 3, 4], [5, 4], [5]], reference: r.linear },
    {
      shapes: [
        [3, 4],
        [2, 4],
      ],
      reference: r.linear,
    },
  ],
  // Without a gradient: see test/graph/int8.test.ts.
  linearInt8: [
    { shapes: [[2, 3, 4], [5, 4], [5]], reference: r.linearInt8, shapeOnly: [0, 1, 2] },
    {
      shapes: [
        [3, 4],
        [2, 4],
      ],
      reference: r.linearInt8,
      shapeOnly: [0, 1],
    },
  ],
  fusedAttention: [
    heads(
      [
        [2, 3, 4],
        [2, 5, 4],
        [2, 5, 6],
      ],
      2,
    ),
  ],
  attention: [
    heads(
      [
        [2, 3, 4],
        [2, 3, 4],
        [2, 3, 4],
      ],
      2,
    ),
    heads(
      [
        [2, 3, 4],
        [2, 5, 4],
        [2, 5, 6],
      ],
      2,
    ),
    heads(
      [
        [1, 4, 6],
        [1, 4, 6],
        [1, 4, 6],
      ],
      3,
      true,
    ),
  ],
  conv2d: [
    convolution([5, 4], [3, 3], 1, [1, 1, 1, 1], true),
    convolution([5, 4], [3, 3], 2, [0, 0, 1, 1], true),
    convolution([6, 5], [3, 2], 2, [1, 0, 1, 1]),
    convolution([3, 4], [1, 1], 1, [0, 0, 0, 0], true),
    convolution([6, 4], [2, 2], 2, [0, 0, 0, 0]),
  ],
  convTranspose2d: [
    transposed([5, 4], [3, 3], 1, [1, 1, 1, 1], [5, 4]),
    transposed([2, 3], [3, 3], 2, [0, 0, 1, 1], [5, 6]),
    transposed([3, 2], [3, 3], 2, [1, 1, 1, 1], [6, 4]),
  ],
  flipKernel: [
    [2, 3, 3, 2],
    [2, 3, 1, 1],
  ].map((w) => ({ shapes: [w], reference: r.flipKernel })),
  maxPool: [
    pooling([6, 4], { kernel: 2, stride: 2, pads: [0, 0, 0, 0], ceil: false }),
    pooling([7, 5], { kernel: 3, stride: 2, pads: [0, 0, 0, 0], ceil: false }),
    pooling([6, 4], { kernel: 3, stride: 2, pads: [0, 0, 0, 0], ceil: true }),
    pooling([4, 5], { kernel: 3, stride: 1, pads: [1, 1, 1, 1], ceil: false }),
    pooling([6, 4], { kernel: 3, stride: 2, pads: [1, 0, 0, 1], ceil: true }),
  ],
  scatterMaxima: [overlapping].map(({ shapes: [x], attrs, reference }) => ({
    shapes: [reference([r.build(x, () => 0)]).shape as number[], x],
    attrs,
    reference: r.scatterMaxima(attrs as unknown as r.Pooling),
    shapeOnly: [1],
  })),
  gatherMaxima: [overlapping].map(({ shapes: [x], attrs }) => ({
    shapes: [x, x],
    attrs,
    reference: r.gatherMaxima(attrs as unknown as r.Pooling),
    shapeOnly: [1],
  })),
  transpose: [
    [2, 0, 1],
    [0, 2, 1],
  ].map((order) => ({ shapes: x, attrs: { order }, reference: r.transpose(order) })),
  concat: [
    {
      shapes: [
        [2, 1, 4],
        [2, 3, 4],
        [2, 2, 4],
      ],
      attrs: { axis: 1 },
      reference: r.concat(1),
    },
  ],
  slice: [
    { shapes: x, attrs: { axis: 1, from: 1, to: 3, step: 1 }, reference: r.slice(1, 1, 3, 1) },
    { shapes: [[3, 8]], attrs: { axis: 1, from: 1, to: 7, step: 2 }, reference: r.slice(1, 1, 7, 2) },
    { shapes: [[7, 2]], attrs: { axis: 0, from: 0, to: 7, step: 3 }, reference: r.slice(0, 0, 7, 3) },
  ],
  pad: [{ shapes: x, attrs: { axis: 1, before: 2, after: 1 }, reference: r.pad(1, 2, 1) }],
  gather: [
    { shapes: [[4, 3], [5]], rows: { 1: 4 }, reference: r.gather },
    {
      shapes: [
        [4, 3],
        [2, 3],
      ],
      rows: { 1: 4 },
      reference: r.gather,
    },
  ],
  scatterAdd: [{ shapes: [[5, 3], [5], [4, 3]], rows: { 1: 4 }, shapeOnly: [2], reference: r.scatterAdd }],
  upsample2x: [{ shapes: [[2, 2, 3, 2]], reference: r.upsample2x }],
  sumPool2x: [{ shapes: [[2, 2, 4, 6]], reference: r.sumPool2x }],
  after: [
    { shapes: [[2, 3], [4]], shapeOnly: [1], reference: r.unary((v) => v) },
    { shapes: [[2, 3], [4, 1], [3], [1, 1, 2]], shapeOnly: [1, 2, 3], reference: r.unary((v) => v) },
  ],
  cast: [{ shapes: x, attrs: { to: "float32" }, reference: r.unary((v) => v) }],
  matmul: [
    ...[false, true].flatMap((ta) => [false, true].map((tb) => products([2, 3, 4], [2, 4, 5], ta, tb, 0.5))),
    ...[false, true].flatMap((ta) => [false, true].map((tb) => products([2, 3, 4], [4, 5], ta, tb))),
    products([2, 1, 3, 4], [3, 4, 2], false, true),
  ],
  groupNorm: [
    { shapes: [[2, 4, 3, 2], [4], [4]], attrs: { groups: 2, eps: 0.3 }, reference: r.groupNorm(4, 2, 0.3) },
    { shapes: [[1, 3, 2, 2], [3], [3]], attrs: { groups: 1, eps: 0.3 }, reference: r.groupNorm(3, 1, 0.3) },
  ],
  layerNorm: [{ shapes: [[2, 3, 4], [4], [4]], attrs: { eps: 0.3 }, reference: r.layerNorm(0.3) }],
};
