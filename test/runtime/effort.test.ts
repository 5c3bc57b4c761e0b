import { afterAll, beforeAll, expect, test } from "vitest";
import * as g from "../../src/graph/index.ts";
import { arithmeticSpeed } from "../../src/runtime/effort.ts";
import { addEffort, type Engine, effortOf, measureSpeed, noEffort, secondsOf } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
});
afterAll(() => engine.close());

const effort = (y: g.Node, batch = 1) => effortOf({ graph: [y] }, batch);
const arithmetic = (y: g.Node, batch = 1): number => effort(y, batch).arithmetic.forward;
const x = g.input("x", ["B", 8, 16, 16]);
/** The cost of a result of so many bytes. */
const result = (bytes: number): number => 8 * bytes;
const kernel = g.parameter("kernel", [4, 8, 3, 3]);

test("arithmetic is two operations for each product, in proportion to the batch", () => {
  const convolved = g.conv2d(x, kernel, undefined, { stride: 1, pads: [1, 1, 1, 1] });
  expect(effort(convolved)).toEqual({
    arithmetic: { forward: 2 * 4 * 16 * 16 * 8 * 9, gradient: 0, tuning: 0 },
    moved: result(4 * 4 * 16 * 16),
    runs: 1,
  });
  expect(arithmetic(convolved, 3)).toBe(3 * arithmetic(convolved));
  const [a, b] = [g.input("a", [2, 5, 7]), g.input("b", [2, 7, 3])];
  const product = g.matmul(a, b);
  expect(arithmetic(product)).toBe(2 * 2 * 5 * 7 * 3);
  expect(arithmetic(g.matmul(a, product, { transA: true }))).toBe(2 * (2 * 2 * 5 * 7 * 3));
  const [q, k] = [g.input("q", [1, 6, 8]), g.input("k", [1, 9, 8])];
  expect(arithmetic(g.attention(q, k, k, { heads: 2 }))).toBe(2 * 6 * 9 * (8 + 8));
});

test("other operations count the bytes that they read and write, and results cost more than that", () => {
  const bytes = 4 * 2 * 8 * 16 * 16;
  expect(effort(g.add(x, x), 2)).toEqual({ ...noEffort, moved: 3 * bytes + result(bytes), runs: 1 });
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
  expect(arithmetic(slope)).toBe(2 * arithmetic(loss));
});

test("an effort keeps the kinds of programs apart, and each takes the time of its own speed", () => {
  const convolved = g.conv2d(x, kernel, undefined, { stride: 1, pads: [1, 1, 1, 1] });
  const [forward, gradient] = (["forward", "gradient"] as const).map((kind) =>
    effortOf({ graph: [convolved] }, 1, kind),
  );
  const all = addEffort(forward, gradient, 3);
  const one = arithmetic(convolved);
  expect(all.arithmetic).toEqual({ forward: one, gradient: 3 * one, tuning: 0 });
  expect(all.runs).toBe(4);
  const speed = { arithmetic: { forward: one, gradient: one / 10 }, moved: Number.POSITIVE_INFINITY };
  const overhead = secondsOf({ ...noEffort, runs: 4 }, speed);
  expect(secondsOf(all, speed) - overhead).toBeCloseTo(1 + 3 * 10, 10);
  expect(() => secondsOf(effortOf({ graph: [convolved] }, 1, "tuning"), speed)).toThrow(/speed of tuning/);
});

test("a piece that was measured is estimated at the time that it took", () => {
  const piece = { arithmetic: { forward: 0, gradient: 3e9, tuning: 0 }, moved: 2e8, runs: 1 };
  for (const seconds of [0.05, 0.5]) {
    const moved = 1e10;
    const speed = { arithmetic: { gradient: arithmeticSpeed(piece, seconds, moved) }, moved };
    expect(secondsOf(piece, speed)).toBeCloseTo(seconds, 10);
  }
  // What is moved explains half of the time at most: a wrong speed of memory makes no arithmetic endless.
  expect(arithmeticSpeed(piece, 0.01, 1e9)).toBeCloseTo(3e9 / 0.005, 0);
});

test("the speed of an engine is measured for the kinds that are asked for, and gives a time in proportion to the effort", async () => {
  const probe = {
    size: { channels: 16, groups: 4, heads: 2, tokens: 5, height: 8, width: 8 },
    load: { level: "all" },
  } as const;
  const all = await measureSpeed(engine, probe);
  expect(Object.keys(all.arithmetic)).toEqual(["forward", "gradient", "tuning"]);
  for (const one of [all.moved, ...Object.values(all.arithmetic)]) expect(one).toBeGreaterThan(1e6);
  const speed = await measureSpeed(engine, probe, ["gradient"]);
  expect(Object.keys(speed.arithmetic)).toEqual(["gradient"]);
  const once = { arithmetic: { forward: 0, gradient: 1e9, tuning: 0 }, moved: 1e6, runs: 1 };
  expect(secondsOf(addEffort(once, once), speed)).toBeCloseTo(2 * secondsOf(once, speed), 10);
});
