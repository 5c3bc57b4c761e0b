import * as g from "../graph/index.ts";
import { fixedWeights, normal, ones, type SampleGraph, zeros } from "../runtime/index.ts";

/** y and the gradient of mean(y²) with respect to x. */
function withGradient(x: g.Node, y: g.Node): Record<string, g.Node> {
  const [gradient] = g.gradients(g.meanSquare(y), [x]);
  return { y, gradient };
}

const pixels = [2, 32, 16, 16];
const tokens = [2, 64, 32];
const x = (shape: readonly number[]): g.Node => g.input("x", shape);

/** The checks of float32: each operation that costs time in a U-Net, and its gradient. */
export const checks: readonly SampleGraph[] = [
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
      return withGradient(at, g.gelu(g.linear(at, fixedWeights()([48, 32]), zeros(48))));
    },
    feeds: { x: normal(1, tokens) },
  },
  {
    name: "convolution",
    outputs: () => {
      const at = x(pixels);
      const same = { stride: 1, pads: [1, 1, 1, 1] } as const;
      const half = { stride: 2, pads: [1, 1, 1, 1] } as const;
      const weight = fixedWeights();
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
      const weight = fixedWeights();
      const [q, k, v] = [0, 1, 2].map(() => g.linear(at, weight([32, 32])));
      return withGradient(at, g.attention(q, k, v, { heads: 4 }));
    },
    feeds: { x: normal(1, tokens) },
  },
];

/** A convolution, group normalisation and attention without gradients, to compute in float16. */
export const halfCheck: SampleGraph = {
  name: "16 bits",
  outputs: () => {
    const weight = fixedWeights();
    const at = x(pixels);
    const h = g.conv2d(at, weight([32, 32, 3, 3]), zeros(32), { stride: 1, pads: [1, 1, 1, 1] });
    const normed = g.silu(g.groupNorm(h, ones(32), zeros(32), 8, 1e-5));
    const flat = g.transpose(g.reshape(normed, [2, 32, 256]), [0, 2, 1]);
    const [q, k, v] = [0, 1, 2].map(() => g.linear(flat, weight([32, 32])));
    return { y: g.attention(q, k, v, { heads: 4 }) };
  },
  feeds: { x: normal(5, pixels) },
};
