import { afterAll, beforeAll, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { type Engine, loadHalf } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
});
afterAll(() => engine?.close());

const of = (...values: number[]): Tensor => tensor([1, values.length], Float32Array.from(values));

/** 300 · (300·x) and x + 1/3. The first leaves the range of float16 from x = 0.73 on, the second shows if it is computed in it. */
async function load(): Promise<{ session: Awaited<ReturnType<typeof loadHalf>>; told: () => number }> {
  const x = g.input("x", ["B", 2]);
  const outputs = { large: g.mul(g.mul(x, 300), 300), small: g.add(x, 1 / 3) };
  let told = 0;
  const session = await loadHalf(engine, outputs, { name: "numbers" }, () => told++);
  return { session, told: () => told };
}

const whole = Math.fround(Math.fround(1) + Math.fround(1 / 3));

test("finite results are those of float16", async () => {
  const { session, told } = await load();
  const { large, small } = await session.run({ x: of(0.5, 1 / 4) });
  expect([...large.data]).toEqual([45_000 - 8, 22_496]);
  expect(small.data[0]).not.toBe(Math.fround(0.5 + 1 / 3));
  expect(told()).toBe(0);
  expect(session.outputs.map(({ name }) => name)).toEqual(["large", "small"]);
  await session.release();
});

test("a result that is not finite is computed again in float32, and so are all later ones; it is told once", async () => {
  const { session, told } = await load();
  const { large, small } = await session.run({ x: of(1, -1) }, { finite: true });
  expect([...large.data]).toEqual([90_000, -90_000]);
  expect(small.data[0]).toBe(whole);
  expect((await session.run({ x: of(1, 0) }, { outputs: ["small"] })).small.data[0]).toBe(whole);
  expect(told()).toBe(1);
  await session.release();
});

test("a result that stays in the engine is looked at too", async () => {
  const { session, told } = await load();
  const { kept, outputs } = await session.runKeeping({ x: of(1, 0) }, ["large"], { outputs: ["small"] });
  expect([...(await kept.large.read()).data]).toEqual([90_000, 0]);
  expect(Object.keys(outputs)).toEqual(["small"]);
  expect(told()).toBe(1);
  await session.release();
});

test("an output that is not asked for does not count", async () => {
  const { session, told } = await load();
  const { small } = await session.run({ x: of(1, 0) }, { outputs: ["small"] });
  expect(small.data[0]).not.toBe(whole);
  expect(told()).toBe(0);
  await session.release();
});

test("float16 is not blamed for numbers that are not finite in float32 either", async () => {
  const { session, told } = await load();
  await expect(session.run({ x: of(Number.NaN, 0) })).rejects.toThrow(/NaN|finite/);
  expect(told()).toBe(0);
  await session.release();
});
