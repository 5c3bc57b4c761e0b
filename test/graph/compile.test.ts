import { expect, test } from "vitest";
import { GraphError } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { run } from "../support/run.ts";

test("constants that differ, but look alike as JSON, are not merged", async () => {
  const x = g.input("x", [1]);
  const numbers = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0, -0];
  const outputs = Object.fromEntries(numbers.map((value, i) => [`y${i}`, g.mul(x, value)]));
  const result = await run(outputs, { x: { shape: [1], data: Float32Array.of(2) } });
  numbers.forEach((value, i) => {
    expect(result[`y${i}`].data[0]).toBe(value);
  });
});

test("equal values are computed once, unequal ones separately", () => {
  const x = g.input("x", [3]);
  const { graph } = g.compile(
    { a: g.exp(g.add(x, 1)), b: g.exp(g.add(x, 1)), c: g.exp(g.add(x, 2)) },
    { name: "shared", bind: () => "fed" },
  );
  expect(graph[0]).toBe(graph[1]);
  expect(graph[0]).not.toBe(graph[2]);
});

test("a value that no output needs is not in the program, and is not fed", () => {
  const [x, unused] = [g.input("x", [3]), g.input("unused", [3])];
  g.add(x, unused);
  const { inputs } = g.compile({ y: g.exp(x) }, { name: "live", bind: () => "fed" });
  expect(inputs.map(({ name }) => name)).toEqual(["x"]);
});

test("all problems of an invalid graph are listed at once", () => {
  const [a, b] = [g.input("x", [3]), g.input("x", [4])];
  const forged = { ...g.exp(a), shape: [5] };
  const compile = () => g.compile({ x: a, y: g.exp(b), z: forged }, { name: "unsound", bind: () => "fed" });
  expect(compile).toThrow(GraphError);
  expect(compile).toThrow('"x" names both [3] and [4]');
  expect(compile).toThrow('"x" is both an input and an output');
  expect(compile).toThrow("exp([3]): shape [5], expected [3]");
});

test.each<[string, () => unknown, RegExp]>([
  [
    "shapes that do not broadcast",
    () => g.add(g.input("a", [2, 3]), g.input("b", [2])),
    /add\(\[2, 3\], \[2\]\).*broadcast/,
  ],
  [
    "matrices that do not fit",
    () => g.matmul(g.input("a", [2, 3]), g.input("b", [2, 3])),
    /matmul.*matrices do not fit/,
  ],
  [
    "channels that do not fit",
    () =>
      g.conv2d(g.input("x", [1, 3, 4, 4]), g.input("w", [2, 4, 3, 3]), undefined, { stride: 1, pads: [1, 1, 1, 1] }),
    /conv2d.*channels do not fit/,
  ],
  [
    "channels that are not divisible by the heads",
    () => g.attention(g.input("q", [1, 2, 5]), g.input("k", [1, 2, 5]), g.input("v", [1, 2, 5]), { heads: 2 }),
    /attention.*query, key and value do not fit/,
  ],
  ["a range outside its axis", () => g.slice(g.input("x", [3]), 0, 1, 5), /slice.*found 1\.\.5 by 1, expected 0\.\.3/],
  ["another number of elements", () => g.reshape(g.input("x", ["B", 4]), [2, 2]), /reshape.*\[B, 4\] to \[2, 2\]/],
  [
    "an axis that does not exist",
    () => g.sum(g.input("x", [3]), [1]),
    /no such axis: found 1, expected an axis of \[3\]/,
  ],
  [
    "an index that is not an integer",
    () => g.gather(g.input("t", [3]), g.input("i", [3])),
    /gather: an index must be int64/,
  ],
  ["data that does not fill its shape", () => g.constant(new Float32Array(3), [4]), /3 numbers for \[4\]/],
  ["a gradient of many numbers without a seed", () => g.gradients(g.input("x", [3]), []), /needs a seed/],
  [
    "a seed that does not fit",
    () => g.gradients(g.input("x", [3]), [], g.input("s", [4])),
    /found \[4\], expected \[3\]/,
  ],
  [
    "a gradient with respect to a value that is not used",
    () => g.gradients(g.sum(g.input("x", [3])), [g.input("y", [3])]),
    /does not depend on this node/,
  ],
  [
    "a gradient that needs the length of the batch",
    () => {
      const x = g.input("x", ["B"]);
      return g.gradients(g.mean(x), [x]);
    },
    /this needs a fixed batch: found \[B\]/,
  ],
  [
    "a weight with too few bytes",
    () =>
      g.compile(
        { y: g.exp(g.parameter("w", [3])) },
        { name: "short", bind: () => ({ source: { name: "f" }, offset: 0, length: 8 }) },
      ),
    /w: the bytes of a weight do not fill its shape: found 8 bytes for \[3\]/,
  ],
])("%s: a GraphError names the operation and the shapes", (_, make, message) => {
  expect(make).toThrow(GraphError);
  expect(make).toThrow(message);
});

test("kernels are flipped if they are mapped from a file, never if they are fed at every run", () => {
  const x = g.input("x", [1, 3, 8, 8]);
  const y = g.conv2d(x, g.parameter("w", [4, 3, 3, 3]), undefined, { stride: 1, pads: [1, 1, 1, 1] });
  const outputs = { gradient: g.gradients(g.meanSquare(y), [x])[0] };
  const operations = (options: Omit<g.CompileOptions, "name">): string[] =>
    g.inOrder(g.compile(outputs, { name: "kernels", ...options }).graph).map(({ op }) => op.name);
  const mapped = () => ({ source: { name: "weights" }, offset: 0, length: 4 * 4 * 3 * 9 });
  expect(operations({ bind: mapped })).toContain("flipKernel");
  expect(operations({ bind: mapped, kernelCopies: 0 })).not.toContain("flipKernel");
  expect(operations({ bind: mapped, target: "onnx" })).not.toContain("flipKernel");
  expect(operations({ bind: () => "fed" })).not.toContain("flipKernel");
});
