import { describe, expect, test } from "vitest";
import { noise, sizeOf, type Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { type Feeds, relativeError, run } from "../support/run.ts";

/** Values of the outputs by name. Every input and parameter is fed with noise. */
async function evaluate(
  outputs: Record<string, g.Node>,
  batch = 1,
  options: Pick<g.CompileOptions, "target" | "traits"> = {},
): Promise<Record<string, Tensor>> {
  const leaves = g.inOrder(Object.values(outputs)).filter((x) => g.isInput(x) || g.isParameter(x));
  const feeds: Feeds = Object.fromEntries(
    leaves.map((x) => [g.nameOf(x), noise(g.withBatch(x.shape, batch), g.nameOf(x).charCodeAt(0))]),
  );
  return run(outputs, feeds, options);
}

const operations = (outputs: Record<string, g.Node>): string[] =>
  g.inOrder(Object.values(outputs)).map(({ op }) => op.name);

describe("attention in pieces", () => {
  const width = 16;
  interface Form {
    batch: number | "B";
    length: number;
    keys: number;
    heads: number;
    causal: boolean;
  }
  /** The same attention as one operation and with whole maps. */
  const forms = ({ batch, length, keys, heads, causal }: Form) => {
    const q = g.input("q", [batch, length, width]);
    const [k, v] = ["k", "v"].map((name) => g.input(name, [batch, keys, width]));
    const split = (x: g.Node) => {
      const [b, n] = x.shape;
      return g.transpose(g.reshape(x, [b, n, heads, width / heads]), [0, 2, 1, 3]);
    };
    const scores = g.matmul(split(q), split(k), { transB: true, alpha: Math.sqrt(heads / width) });
    const hidden = (i: number) => (i % keys > Math.floor(i / keys) ? -1e9 : 0);
    const mask = g.constant(
      Float32Array.from({ length: causal ? length * keys : 1 }, (_, i) => hidden(i)),
      [...(causal ? [length, keys] : [1, 1])],
    );
    const whole = g.attend(g.softmax(causal ? g.add(scores, mask) : scores), v);
    return { inputs: [q, k, v], whole, pieces: g.attention(q, k, v, { heads, causal }) };
  };

  test.each([
    { name: "some heads at a time", batch: 1, length: 600, keys: 600, heads: 8, causal: false },
    { name: "some queries of one head at a time", batch: 1, length: 1500, keys: 1100, heads: 2, causal: false },
    { name: "of a batch", batch: 2, length: 900, keys: 77, heads: 8, causal: false },
    { name: "of a batch of any size", batch: "B" as const, length: 1200, keys: 1000, heads: 4, causal: false },
    { name: "with a causal mask", batch: 1, length: 1300, keys: 1300, heads: 2, causal: true },
  ])("has the gradient of whole maps: $name", async (form) => {
    const { inputs, whole, pieces } = forms(form);
    const seed = g.input("seed", [form.batch, form.length, width]);
    const gradientsOf = (y: g.Node, prefix: string): [string, g.Node][] =>
      g.gradients(y, inputs, seed).map((dx, i) => [`${prefix}${i}`, dx]);
    const outputs = Object.fromEntries([...gradientsOf(pieces, "pieces"), ...gradientsOf(whole, "whole")]);
    expect(operations(outputs).filter((name) => name === "after").length).toBeGreaterThan(0);
    const result = await evaluate(outputs, 3);
    for (const i of [0, 1, 2]) expect(relativeError(result[`pieces${i}`], result[`whole${i}`])).toBeLessThan(1e-5);
  });

  test.each([
    { name: "some heads at a time", batch: 1, length: 1100, keys: 1100, heads: 8, causal: false },
    { name: "some queries at a time", batch: 1, length: 2500, keys: 2100, heads: 2, causal: false },
    { name: "a batch of any size", batch: "B" as const, length: 1200, keys: 1000, heads: 8, causal: false },
    { name: "with a causal mask", batch: 1, length: 2100, keys: 2100, heads: 2, causal: true },
  ])("has the values of whole maps on a device without a kernel for attention: $name", async (form) => {
    const { whole, pieces } = forms(form);
    const options = { target: "onnx", traits: { buffer: 16 * 2 ** 20, rows: 1 } } as const;
    const [lowered] = g.compile({ pieces }, { name: "pieces", bind: () => "fed", ...options }).graph;
    const largest = (x: g.Node) => Math.max(...g.inOrder([x]).map(({ shape }) => sizeOf(g.withBatch(shape, 1))));
    // A mask is a constant of the graph for one head.
    const most = form.causal ? 4 * form.length ** 2 : 16 * 2 ** 20;
    expect(4 * largest(lowered)).toBeLessThanOrEqual(most);
    expect(4 * largest(whole)).toBeGreaterThan(32e6);
    const result = await evaluate({ pieces, whole }, 3, options);
    expect(relativeError(result.pieces, result.whole)).toBeLessThan(1e-5);
  });

  test("is one piece if maps are small, without any additional operation", () => {
    const { whole, pieces } = forms({ batch: "B", length: 256, keys: 256, heads: 4, causal: false });
    const lowered = (y: g.Node) => g.compile({ y }, { name: "small", target: "onnx", bind: () => "fed" }).graph;
    expect(g.inOrder(lowered(pieces)).length).toBeLessThanOrEqual(g.inOrder(lowered(whole)).length);
  });
});

describe("a convolution's gradient is the same with the flipped kernel as without", () => {
  test.each<[string, readonly [number, number], number, readonly [number, number, number, number]]>([
    ["equal padding on all sides", [3, 3], 1, [1, 1, 1, 1]],
    ["unequal padding", [3, 3], 1, [0, 2, 1, 0]],
    ["a kernel that is not square", [5, 2], 1, [2, 0, 2, 1]],
    ["with a stride", [3, 3], 2, [1, 1, 1, 1]],
  ])("%s", async (_, kernel, stride, pads) => {
    const x = g.input("x", [2, 3, 9, 8]);
    const w = g.parameter("w", [4, 3, ...kernel]);
    const y = g.conv2d(x, w, undefined, { stride, pads });
    const [transposed] = g.gradients(g.meanSquare(y), [x]);
    const [flipped] = g.flipKernels([transposed], 1e6, g.isParameter);
    expect(operations({ flipped }).includes("convTranspose2d")).toBe(stride > 1);
    const result = await evaluate({ transposed, flipped });
    expect(relativeError(result.flipped, result.transposed)).toBeLessThan(1e-6);
  });
});

test("a kernel's gradient over a batch of any size is the sum of its rows' gradients", async () => {
  const of = (batch: number | "B", x = g.input("x", [batch, 3, 6, 5])) => {
    const y = g.conv2d(x, g.parameter("w", [4, 3, 3, 3]), undefined, { stride: 2, pads: [1, 0, 1, 1] });
    return g.gradients(g.sum(g.mul(y, y)), [...g.parametersOf([y]).values()])[0];
  };
  const whole = g.input("x", [3, 3, 6, 5]);
  const rows = [0, 1, 2].map((i) => of(1, g.slice(whole, 0, i, i + 1)));
  const [any, fixed, single] = await Promise.all([
    evaluate({ gradient: of("B") }, 3),
    evaluate({ gradient: of(3) }),
    evaluate(Object.fromEntries(rows.map((node, i) => [`${i}`, node]))),
  ]);
  // Of a fixed batch, all places of the kernel are one product.
  expect(relativeError(any.gradient, fixed.gradient)).toBeLessThan(1e-6);
  const sum = fixed.gradient.data.map((_, k) => [0, 1, 2].reduce((total, i) => total + single[`${i}`].data[k], 0));
  expect(relativeError({ ...fixed.gradient, data: sum }, fixed.gradient)).toBeLessThan(1e-6);
});

test("kernels are flipped in the layers with the most pixels, until the copies reach the limit", () => {
  let h = g.input("x", [1, 8, 16, 16]);
  for (let level = 0; level < 3; level++) {
    for (const i of [0, 1]) {
      const kernel = g.parameter(`${level}.${i}`, [8, 8, 3, 3]);
      h = g.conv2d(h, kernel, undefined, { stride: 1, pads: [1, 1, 1, 1] });
    }
    h = g.conv2d(h, g.parameter(`${level}.down`, [8, 8, 3, 3]), undefined, { stride: 2, pads: [1, 1, 1, 1] });
  }
  const [input] = g.inOrder([h]).filter(g.isInput);
  const gradient = g.gradients(g.meanSquare(h), [input]);
  const kernel = 4 * 8 * 8 * 9;
  const flippedWith = (bytes: number, mayFlip: (weight: g.Node) => boolean = () => true) =>
    g
      .inOrder(g.flipKernels(gradient, bytes, mayFlip))
      .filter(({ op }) => op.name === "flipKernel")
      .map(({ inputs }) => g.nameOf(inputs[0]))
      .sort();
  expect(flippedWith(0)).toEqual([]);
  expect(flippedWith(3.5 * kernel).filter((name) => name.startsWith("0"))).toEqual(["0.0", "0.1"]);
  expect(flippedWith(3.5 * kernel)).toHaveLength(3);
  expect(flippedWith(1e6)).toHaveLength(6);
  expect(flippedWith(1e6, (weight) => g.nameOf(weight) === "2.0")).toEqual(["2.0"]);
});

test("the gradients of two adjacent slices of a value are joined, not padded and added", async () => {
  const x = g.input("x", [2, 5, 12]);
  const gated = g.mul(g.slice(x, -1, 0, 6), g.gelu(g.slice(x, -1, 6, 12)));
  const [gradient] = g.gradients(g.meanSquare(gated), [x]);
  expect(operations({ gradient })).not.toContain("pad");
  const overlapping = g.mul(g.slice(x, -1, 0, 7), g.slice(x, -1, 5, 12));
  const both = { gradient, overlap: g.gradients(g.meanSquare(overlapping), [x])[0] };
  expect(operations(both)).toContain("pad");
  const step = 1e-2;
  const seed = noise([2, 5, 12], "x".charCodeAt(0));
  const result = await evaluate(both);
  for (const [name, loss] of Object.entries({ gradient: g.meanSquare(gated), overlap: g.meanSquare(overlapping) })) {
    for (const at of [0, 5, 6, 11, 67]) {
      const moved = async (by: number) => {
        const data = seed.data.slice();
        data[at] += by;
        return (await run({ loss }, { x: { shape: seed.shape, data } })).loss.data[0];
      };
      const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
      expect(Math.abs(result[name].data[at] - slope), `${name} at ${at}`).toBeLessThan(1e-3);
    }
  }
});
