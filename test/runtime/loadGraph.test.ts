import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CheckpointError, EngineError, MemoryError, sizeOf, type Tensor, tensor } from "../../src/core/index.ts";
import { add, compile, input, matmul, mul, type Node, parameter } from "../../src/graph/index.ts";
import { type Engine, loadGraph, type Session } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { DiskCache, openLocalFile } from "../../src/storage/node/index.ts";
import { encodeSafetensors, memorySource, readSafetensors } from "../../src/weights/index.ts";
import { eighths, eighthsIn, type FloatDtype } from "../support/floats.ts";

let engine: Engine;
let root: string;
let cache: DiskCache;
beforeAll(async () => {
  engine = await startEngine({ threads: 1, cache: { acquire: (...request) => cache.acquire(...request) } });
});
afterAll(() => engine.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-load-graph-"));
  cache = new DiskCache({ folder: join(root, "cache") });
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

async function checkpoint(dtypes: readonly [FloatDtype, FloatDtype]) {
  const path = join(root, `${dtypes.join("-")}.safetensors`);
  writeFileSync(
    path,
    encodeSafetensors({
      "a.weight": eighthsIn(dtypes[0], [5, 7], 3),
      "b.weight": eighthsIn(dtypes[1], [7, 4], 5),
      position_ids: { dtype: "I64", shape: [2], data: new BigInt64Array(2) },
    }),
  );
  return (await readSafetensors(await openLocalFile(path))).tensors;
}

/** y = x·a·b and z = x·a. x: [B, 5]. */
function graph(): Record<"y" | "z", Node> {
  const z = matmul(input("x", ["B", 5]), parameter("a.weight", [5, 7]));
  return { y: matmul(z, parameter("b.weight", [7, 4])), z };
}
const x = tensor([2, 5], eighths([2, 5], 7));
const product = (left: Float32Array, right: Float32Array, inner: number, columns: number): number[] =>
  Array.from({ length: (left.length / inner) * columns }, (_, i) =>
    Array.from(
      { length: inner },
      (_, k) => left[Math.floor(i / columns) * inner + k] * right[k * columns + (i % columns)],
    ).reduce((sum, term) => sum + term),
  );
const z = Float32Array.from(product(x.data, eighths([5, 7], 3), 5, 7));
const y = product(z, eighths([7, 4], 5), 7, 4);

const leases = (): string[] =>
  existsSync(join(cache.folder, "leases")) ? readdirSync(join(cache.folder, "leases")) : [];

describe.each([
  ["F32", "F32"],
  ["F16", "F16"],
  ["BF16", "F32"],
  ["F16", "BF16"],
] as const)("weights of %s and %s", (...dtypes) => {
  test("give the products of their numbers", async () => {
    const weights = await engine.mapWeights(await checkpoint(dtypes));
    const session = await loadGraph(engine, graph(), { name: "products", weights });
    await weights.release();
    const result = await session.run({ x });
    await session.release();
    // All of them are multiples of 1/512 far below 2^24/512: exact in any order of summation.
    expect([...result.z.data]).toEqual([...z]);
    expect([...result.y.data]).toEqual(y);
  });
});

test("only weights that are not float32 are converted", async () => {
  const weights = await engine.mapWeights(await checkpoint(["F16", "F32"]));
  expect(weights.binding("a.weight", [5, 7]).source.name).toContain(cache.folder);
  expect(weights.binding("b.weight", [7, 4]).source.name).toBe(join(root, "F16-F32.safetensors"));
  await engine.mapWeights(await checkpoint(["F32", "F32"]));
  expect(readdirSync(cache.folder).filter((name) => name.startsWith("weights-"))).toHaveLength(1);
});

test("programs share the files, which stay until the last program is released", async () => {
  const weights = await engine.mapWeights(await checkpoint(["F16", "F16"]));
  const { y, z } = graph();
  const whole = await loadGraph(engine, { y }, { name: "whole", weights });
  const part = await loadGraph(engine, { z }, { name: "part", weights });
  expect(leases()).toHaveLength(1);
  await weights.release();
  await whole.release();
  await whole.release();
  expect(leases()).toHaveLength(1);
  await part.release();
  expect(leases()).toHaveLength(0);
  await expect(loadGraph(engine, { z }, { name: "late", weights })).rejects.toThrow(EngineError);
});

test("without weights, every parameter is fed", async () => {
  const session = await loadGraph(engine, { sum: add(parameter("p", [2]), input("q", [2])) }, { name: "fed" });
  const { sum } = await session.run({ p: tensor([2], Float32Array.of(1, 2)), q: tensor([2], Float32Array.of(3, 5)) });
  await session.release();
  expect([...sum.data]).toEqual([4, 7]);
});

test.each<[string, () => Node, RegExp]>([
  ["is missing", () => parameter("c.weight", [3]), /^c\.weight: a weight is missing: expected \[3\]/],
  ["has another shape", () => parameter("a.weight", [7, 5]), /"a\.weight": shape: found \[5, 7\], expected \[7, 5\]/],
  ["has another dtype", () => parameter("position_ids", [2]), /"position_ids": dtype: found I64/],
])("a weight that %s is an error, and holds nothing", async (_, wrong, message) => {
  const weights = await engine.mapWeights(await checkpoint(["F16", "F16"]));
  const failing = loadGraph(engine, { p: add(wrong(), 1) }, { name: "wrong", weights });
  await expect(failing).rejects.toSatisfy((error) => error instanceof CheckpointError && message.test(error.message));
  await weights.release();
  expect(leases()).toHaveLength(0);
});

test("weights in memory are written into the cache, where a program maps them", async () => {
  const bytes = encodeSafetensors({ p: eighthsIn("F32", [2], 1) });
  const { tensors } = await readSafetensors(memorySource("memory", bytes));
  const weights = await engine.mapWeights(tensors);
  expect(weights.binding("p", [2]).source.name).toContain(cache.folder);
  const session = await loadGraph(engine, { q: add(parameter("p", [2]), 1) }, { name: "sum", weights });
  await weights.release();
  expect([...(await session.run({})).q.data]).toEqual([...eighths([2], 1)].map((value) => value + 1));
  await session.release();
});

test("a batch that needs more memory than is free is refused before it runs, and smaller ones still run", async () => {
  const width = 2 ** 18;
  const wide = matmul(mul(input("x", ["B", 1]), input("w", [1, width])), input("v", [width, 1]));
  const session = await loadGraph(engine, { y: wide }, { name: "wide" });
  const ones = (shape: readonly number[]): Tensor => tensor(shape, new Float32Array(sizeOf(shape)).fill(1));
  const run = (rows: number) => session.run({ x: ones([rows, 1]), w: ones([1, width]), v: ones([width, 1]) });
  const before = session.memory;
  const { y } = await run(3);
  expect([...y.data]).toEqual([width, width, width]);
  expect(session.memory - before).toBeGreaterThan(2 * 4 * width);
  const process = engine.pid;
  await expect(run(2 ** 22)).rejects.toThrow(/^wide, 4194304 rows at once, needs more memory than is free/);
  expect(() => session.checkBatch(2 ** 22)).toThrow(MemoryError);
  expect((await run(3)).y.data).toEqual(y.data);
  expect(engine.pid).toBe(process);
  await session.release();
});

test("other work runs while a program is compiled, and a cancelled program is not loaded", async () => {
  const load = vi.fn(() => Promise.reject(new EngineError("loaded")));
  const counted = { ...engine, device: "cpu", load, checkMemory: () => undefined } as unknown as Engine;
  let turns = 0;
  const turn = (): void => {
    turns++;
    timer = setTimeout(turn);
  };
  let timer = setTimeout(turn);
  await expect(loadGraph(counted, { y: add(input("x", [1]), 1) }, { name: "one" })).rejects.toThrow("loaded");
  expect(turns).toBeGreaterThan(5);
  clearTimeout(timer);

  const abort = new AbortController();
  setTimeout(() => abort.abort());
  const cancelled = loadGraph(counted, { y: add(input("x", [1]), 1) }, { name: "two", signal: abort.signal });
  await expect(cancelled).rejects.toThrow("compiling two was cancelled");
  expect(load).toHaveBeenCalledTimes(1);
});

describe("a large program at level all", () => {
  const load = { level: "all", prepack: true } as const;
  const long = (times: number): Record<"y", Node> => {
    const { z } = graph();
    let y: Node = z;
    for (let i = 0; i < times; i++) y = add(mul(y, 0.5), z);
    return { y };
  };
  const programs = (): string[] => readdirSync(cache.folder).filter((name) => name.startsWith("program-"));

  test("is kept for the next start, and gives the same bits", async () => {
    const weights = await engine.mapWeights(await checkpoint(["F16", "F16"]));
    const once = async (session: Session): Promise<Tensor> => {
      const { y } = await session.run({ x });
      await session.release();
      return y;
    };
    const program = compile(long(1100), { name: "long", bind: weights.binding });
    const unsaved = await once(await engine.load(program, load));
    expect(programs()).toHaveLength(0);
    for (const _ of ["saves", "reads"]) {
      expect(await once(await loadGraph(engine, long(1100), { name: "long", weights, load }))).toEqual(unsaved);
      expect(programs()).toHaveLength(1);
    }
    await (await loadGraph(engine, long(3), { name: "short", weights, load })).release();
    expect(programs()).toHaveLength(1);
    await weights.release();
  });

  test("is loaded even if the cache cannot be written", async () => {
    const file = join(root, "file");
    writeFileSync(file, "");
    const weights = await engine.mapWeights(await checkpoint(["F32", "F32"]));
    cache = new DiskCache({ folder: join(file, "cache") });
    const session = await loadGraph(engine, long(1100), { name: "long", weights, load });
    expect((await session.run({ x })).y.data.every(Number.isFinite)).toBe(true);
    await session.release();
    await weights.release();
  });
});
