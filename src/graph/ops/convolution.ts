import { GraphError, shapeText, sizeOf } from "../../core/index.ts";
import { defineOp, isParameter, type Node } from "../operation.ts";
import { fixed, product, type Shape } from "../shape.ts";
import { reshape, sum } from "./arithmetic.ts";
import { concat, pad, slice, transpose } from "./layout.ts";
import { matmul } from "./linear.ts";

/** pads: zeros at [top, left, bottom, right]. */
export type ConvolutionOptions = { stride: number; pads: readonly [number, number, number, number] };

const convOp = defineOp<ConvolutionOptions>("conv2d", {
  shape: ([x, w, b], { stride, pads: [top, left, bottom, right] }) => {
    if (x.length !== 4 || w.length !== 4 || x[1] !== w[1] || (b && b[0] !== w[0])) {
      throw new GraphError("channels do not fit", { found: [x, w, b].filter(Boolean).map(shapeText).join(", ") });
    }
    const length = (n: number, kernel: number, padding: number) => Math.floor((n + padding - kernel) / stride) + 1;
    return [x[0], w[0], length(fixed(x, 2), fixed(w, 2), top + bottom), length(fixed(x, 3), fixed(w, 3), left + right)];
  },
  gradient: (dy, { inputs: [x, w], attrs }) => [
    () => inputGradient(dy, w, x.shape, attrs),
    () => weightGradient(x, dy, w.shape, attrs),
    () => sum(dy, [0, 2, 3]),
  ],
  half: true,
  implement: {
    lower: (out, inputs, { attrs: { stride, pads }, shapes: [, w] }) =>
      out.node("Conv", inputs, { kernel_shape: w.slice(2) as number[], strides: [stride, stride], pads }),
  },
  // With more kernels than pixels, MLAS unfolds the whole picture at once, else a little at a time.
  memory: {
    workspace: ([, w], y, { stride }) => {
      const [pixels, reads] = [y[2] * y[3], sizeOf(w.slice(1))];
      const isPointwise = w[2] * w[3] * stride === 1;
      return isPointwise || w[0] <= pixels ? [] : [pixels * reads];
    },
  },
  arithmetic: ([, w], y) => 2 * sizeOf(y) * sizeOf(w.slice(1)),
});

/** Cross-correlation as in PyTorch. x: [B, C, H, W], weight: [out, C, kh, kw], bias: [out] → [B, out, H', W']. */
export const conv2d = (x: Node, weight: Node, bias: Node | undefined, options: ConvolutionOptions): Node =>
  convOp(bias ? [x, weight, bias] : [x, weight], options);

type Transposed = ConvolutionOptions & { height: number; width: number };
const transposedOp = defineOp<Transposed>("convTranspose2d", {
  shape: ([x, w], { height, width }) => {
    if (x[1] !== w[0]) throw new GraphError("channels do not fit", { found: `${shapeText(x)} and ${shapeText(w)}` });
    return [x[0], w[1], height, width];
  },
  gradient: (dy, { inputs: [x, w], attrs }) => [
    () => conv2d(dy, w, undefined, { stride: attrs.stride, pads: attrs.pads }),
    () => weightGradient(dy, x, w.shape, attrs),
  ],
  implement: {
    lower: (out, inputs, { attrs: { stride, pads, height, width }, shapes: [x, w] }) => {
      const [top, left, bottom, right] = pads;
      const missing = (n: number, from: number, kernel: number, padding: number) =>
        n - ((from - 1) * stride + kernel - padding);
      return out.node("ConvTranspose", inputs, {
        kernel_shape: w.slice(2) as number[],
        strides: [stride, stride],
        pads,
        output_padding: [
          missing(height, fixed(x, 2), fixed(w, 2), top + bottom),
          missing(width, fixed(x, 3), fixed(w, 3), left + right),
        ],
      });
    },
  },
  memory: { workspace: ([x, w]) => [sizeOf(w.slice(1)) * x[2] * x[3]] },
  arithmetic: ([x, w]) => 2 * sizeOf(x) * sizeOf(w.slice(1)),
});

/** True for a gradient of a convolution to its input that can be a convolution with the flipped kernel. */
export const isFlippable = ({ op, attrs, inputs: [, weight] }: Node): boolean =>
  op.name === "convTranspose2d" && attrs.stride === 1 && isParameter(weight);

/** Returns the gradient as a convolution with the flipped kernel: faster, but needs a second copy of the kernel. */
export function flipped({ inputs: [dy, weight], attrs }: Node): Node {
  const { stride, pads } = attrs as Transposed;
  const reach = [2, 3, 2, 3].map((axis) => fixed(weight.shape, axis) - 1);
  const [top, left, bottom, right] = pads.map((padding, i) => reach[i] - padding);
  return conv2d(dy, flipKernel(weight), undefined, { stride, pads: [top, left, bottom, right] });
}

const flipOp = defineOp<Record<string, never>>("flipKernel", {
  shape: ([[out, channels, kh, kw]]) => [channels, out, kh, kw],
  gradient: (dw) => [() => flipKernel(dw)],
  implement: {
    lower: (out, [w], { shapes: [[rows, columns, kh, kw]] }) => {
      // The places of the kernel, as one axis, are reversed by a product with a permutation matrix, which is exact. A slice
      // with negative steps or a gather would move number by number.
      const places = (kh as number) * (kw as number);
      const flat = out.node("Reshape", [w, out.ints([rows as number, columns as number, places])]);
      const swapped = out.node("Transpose", [flat], { perm: [1, 0, 2] });
      const reverse = Float32Array.from({ length: places ** 2 }, (_, i) =>
        Math.floor(i / places) + (i % places) === places - 1 ? 1 : 0,
      );
      const turned = out.node("MatMul", [swapped, out.floats(reverse, [places, places])]);
      return out.node("Reshape", [turned, out.ints([columns, rows, kh, kw] as number[])]);
    },
  },
});
/** Returns the kernel of the transposed convolution as a plain one: [out, C, kh, kw] → [C, out, kh, kw], turned by 180°. */
const flipKernel = (weight: Node): Node => flipOp([weight], {});

/** dL/dx of a convolution: x's shape is [B, C, H, W]. */
function inputGradient(dy: Node, weight: Node, shape: Shape, options: ConvolutionOptions): Node {
  const [, channels, height, width] = shape;
  const [out, , kh, kw] = weight.shape;
  const pointwise = kh === 1 && kw === 1 && options.stride === 1 && options.pads.every((p) => p === 0);
  if (!pointwise || !isParameter(weight)) {
    return transposedOp([dy, weight], { ...options, height: fixed(shape, 2), width: fixed(shape, 3) });
  }
  // A 1x1 convolution is a matrix product, whose matrix is the weight with another shape.
  const pixels = product([height, width]);
  const flat = matmul(reshape(weight, [out, channels]), reshape(dy, [dy.shape[0], out, pixels]), { transA: true });
  return reshape(flat, shape);
}

/** [B, C, H, W] → [C, B, H, W] */
const channelsFirst = (x: Node): Node => {
  const [batch, channels, height, width] = x.shape;
  return batch === 1 ? reshape(x, [channels, batch, height, width]) : transpose(x, [1, 0, 2, 3]);
};

/**
 * Most numbers of an input that is copied once for each place of a kernel. The copy of a larger one does not stay in a cache, so
 * that the one product is not faster than one for each place.
 */
const UNFOLDED = 2 ** 19;

/**
 * dL/dW of a convolution: the product of dy with the input shifted to each place in the kernel, over the pixels of the whole
 * batch at once. A small input is one matrix of all its shifts.
 */
function weightGradient(x: Node, dy: Node, shape: Shape, { stride, pads }: ConvolutionOptions): Node {
  const [top, left, bottom, right] = pads;
  const [out, channels, kh, kw] = [0, 1, 2, 3].map((a) => fixed(shape, a));
  const [height, width] = [fixed(dy.shape, 2), fixed(dy.shape, 3)];
  const pixels = product([dy.shape[0], height, width]);
  const padded = pad(pad(channelsFirst(x), 2, top, bottom), 3, left, right);
  const columns = reshape(channelsFirst(dy), [out, pixels]);
  const windows: Node[] = [];
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const below = slice(padded, 2, i, i + (height - 1) * stride + 1, stride);
      windows.push(slice(below, 3, j, j + (width - 1) * stride + 1, stride));
    }
  }
  const products = (matrix: Node): Node => matmul(columns, matrix, { transB: true });
  if (typeof pixels === "number" && channels * kh * kw * pixels <= UNFOLDED) {
    const shifts = windows.map((window) => reshape(window, [channels, 1, pixels]));
    return reshape(products(reshape(concat(shifts, 1), [channels * kh * kw, pixels])), shape);
  }
  const places = windows.map((window) => reshape(products(reshape(window, [channels, pixels])), [out, channels, 1]));
  return reshape(concat(places, 2), shape);
}
