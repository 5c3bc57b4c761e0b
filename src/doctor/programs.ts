import { Random, type Tensor, tensor } from "../core/index.ts";
import * as g from "../graph/index.ts";
import { type Feeds, networkPiece } from "../runtime/index.ts";

/** A small graph that a device must compute as the CPU does. */
export interface Check {
  readonly name: string;
  readonly outputs: () => Record<string, g.Node>;
  readonly feeds: Feeds;
}

/** Numbers of the standard normal distribution, times `scale`. */
function normal(seed: number, shape: readonly number[], scale = 1): Tensor {
  const random = new Random(seed);
  const made = tensor(shape);
  for (let i = 0; i < made.data.length; i++) made.data[i] = scale * random.normal();
  return made;
}

/** Makes weights [out, in, ...] as constants: the same ones in every graph, so that devices can be compared. */
function weights(): (shape: readonly number[]) => g.Node {
  let seed = 100;
  return (shape) => {
    const fan = shape.slice(1).reduce((a, b) => a * b, 1);
    return g.constant(normal(seed++, shape, 1 / Math.sqrt(fan)).data, shape);
  };
}

const ones = (n: number): g.Node => g.constant(new Float32Array(n).fill(1), [n]);
const zeros = (n: number): g.Node => g.constant(new Float32Array(n), [n]);

/** y and the gradient of mean(y²) with respect to x. */
function withGradient(x: g.Node, y: g.Node): Record<string, g.Node> {
  const [gradient] = g.gradients(g.meanSquare(y), [x]);
  return { y, gradient };
}

const pixels = [2, 32, 16, 16];
const tokens = [2, 64, 32];
const x = (shape: readonly number[]): g.Node => g.input("x", shape);

/** The checks of float32: each operation that costs time in a U-Net, and its gradient. */
export const checks: readonly Check[] = [
  {
    name: "arithmetic",
    outputs: () => {
      const at = x(tokens);
      return withGradient(at, g.mul(g.silu(at), g.div(g.exp(at), g.add(g.sqrt(g.square(at)), 1))));
    },
    feeds: { x: normal(1, tokens) },
  },
  {
    name: "matrix product",
    outputs: () => {
      const at = x(tokens);
      return withGradient(at, g.gelu(g.linear(at, weights()([48, 32]), zeros(48))));
    },
    feeds: { x: normal(1, tokens) },
  },
  {
    name: "convolution",
    outputs: () => {
      const at = x(pixels);
      const same = { stride: 1, pads: [1, 1, 1, 1] } as const;
      const half = { stride: 2, pads: [1, 1, 1, 1] } as const;
      const weight = weights();
      const y = g.conv2d(at, weight([32, 32, 3, 3]), zeros(32), same);
      return withGradient(at, g.upsample2x(g.conv2d(y, weight([16, 32, 3, 3]), zeros(16), half)));
    },
    feeds: { x: normal(2, pixels) },
  },
  {
    name: "group normalisation",
    outputs: () => {
      const at = x(pixels);
      return withGradient(at, g.silu(g.groupNorm(at, ones(32), zeros(32), 8, 1e-5)));
    },
    feeds: { x: normal(3, pixels, 3) },
  },
  {
    name: "attention",
    outputs: () => {
      const at = x(tokens);
      const weight = weights();
      const [q, k, v] = [0, 1, 2].map(() => g.linear(at, weight([32, 32])));
      return withGradient(at, g.attention(q, k, v, { heads: 4 }));
    },
    feeds: { x: normal(1, tokens) },
  },
];

/** A convolution, group normalisation and attention without gradients, to compute in float16. */
export const halfCheck: Check = {
  name: "16 bits",
  outputs: () => {
    const weight = weights();
    const at = x(pixels);
    const h = g.conv2d(at, weight([32, 32, 3, 3]), zeros(32), { stride: 1, pads: [1, 1, 1, 1] });
    const normed = g.silu(g.groupNorm(h, ones(32), zeros(32), 8, 1e-5));
    const flat = g.transpose(g.reshape(normed, [2, 32, 256]), [0, 2, 1]);
    const [q, k, v] = [0, 1, 2].map(() => g.linear(flat, weight([32, 32])));
    return { y: g.attention(q, k, v, { heads: 4 }) };
  },
  feeds: { x: normal(5, pixels) },
};

const pieceSize = { rows: 2, channels: 128, groups: 32, heads: 8, tokens: 77, height: 32, width: 32 } as const;
const pieceShape = [pieceSize.rows, pieceSize.channels, pieceSize.height, pieceSize.width];

/** A piece of a U-Net: two residual blocks with attention over 1024 places each, of a batch of two. */
export const piece: Check = {
  name: "piece of a U-Net",
  outputs: () => ({ y: networkPiece(x(pieceShape), weights(), pieceSize, 2) }),
  feeds: { x: normal(4, pieceShape) },
};
