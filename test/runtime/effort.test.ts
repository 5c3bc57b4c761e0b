import { afterAll, beforeAll, expect, test } from "vitest";
import * as g from "../../src/graph/index.ts";
import { type Engine, effortOf, measureSpeed, secondsOf } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
});
afterAll(() => engine.close());

const effort = (y: g.Node, batch = 1) => effortOf({ graph: [y] }, batch);
const x = g.input("x", ["B", 8, 16, 16]);
/** The cost of a result of so many bytes. */
const result = (bytes: number): number => 8 * bytes;
const kernel = g.parameter("kernel", [4, 8, 3, 3]);

test("arithmetic is two operations for each product, in proportion to the batch", () => {
  const convolved = g.conv2d(x, kernel, undefined, { stride: 1, pads: [1, 1, 1, 1] });
  expect(effort(convolved)).toEqual({ arithmetic: 2 * 4 * 16 * 16 * 8 * 9, moved: result(4 * 4 * 16 * 16), runs: 1 });
  expect(effort(convolved, 3).arithmetic).toBe(3 * effort(convolved).arithmetic);
  const [a, b] = [g.input("a", [2, 5, 7]), g.input("b", [2, 7, 3])];
  const product = g.matmul(a, b);
  expect(effort(product).arithmetic).toBe(2 * 2 * 5 * 7 * 3);
  expect(effort(g.matmul(a, product, { transA: true })).arithmetic).toBe(2 * (2 * 2 * 5 * 7 * 3));
  const [q, k] = [g.input("q", [1, 6, 8]), g.input("k", [1, 9, 8])];
  expect(effort(g.attention(q, k, k, { heads: 2 })).arithmetic).toBe(2 * 6 * 9 * (8 + 8));
});

test("other operations count the bytes that they read and write, and results cost more than that", () => {
  const bytes = 4 * 2 * 8 * 16 * 16;
  expect(effort(g.add(x, x), 2)).toEqual({ arithmetic: 0, moved: 3 * bytes + result(bytes), runs: 1 });
  expect(effort(g.silu(g.add(x, x)), 2).moved).toBe((3 + 2) * bytes + result(bytes));
  expect(effort(g.slice(x, 1, 0, 4), 2).moved).toBe(2 * (bytes / 2) + result(bytes / 2));
});

test("views, and what comes from weights alone, cost nothing but the result", () => {
  expect(effort(g.reshape(x, ["B", 8, 256])).moved).toBe(result(4 * 8 * 256));
  expect(effort(g.mul(kernel, 2)).moved).toBe(result(4 * 4 * 8 * 9));
});

test("the gradient of a convolution to its input takes the convolution's arithmetic once more", () => {
  const image = g.input("x", [1, 8, 16, 16]);
  const loss = g.sum(g.conv2d(image, kernel, undefined, { stride: 1, pads: [1, 1, 1, 1] }));
  const [slope] = g.gradients(loss, [image]);
  expect(effort(slope).arithmetic).toBe(2 * effort(loss).arithmetic);
});

test("the speed of an engine gives a time in proportion to the effort", async () => {
  const speed = await measureSpeed(engine);
  for (const one of Object.values(speed)) expect(one).toBeGreaterThan(1e7);
  const once = { arithmetic: 1e9, moved: 1e6, runs: 1 };
  const twice = { arithmetic: 2e9, moved: 2e6, runs: 2 };
  expect(secondsOf(twice, speed)).toBeCloseTo(2 * secondsOf(once, speed), 10);
});
