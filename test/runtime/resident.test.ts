import { afterAll, beforeAll, expect, test } from "vitest";
import { GraphError, ResidentError, type Tensor, tensor } from "../../src/core/index.ts";
import { add, compile, input, mul } from "../../src/graph/index.ts";
import type { Engine, Session } from "../../src/runtime/index.ts";
import { processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";

const floats = (...values: number[]): Tensor => tensor([values.length], Float32Array.from(values));

/** next = x + y and product = x·y, each of `length` numbers. */
function accumulating(length: number) {
  const [x, y] = [input("x", [length]), input("y", [length])];
  return compile({ next: add(x, y), product: mul(x, y) }, { name: "accumulating", bind: () => "fed" });
}

let engine: Engine;
let session: Session;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
  session = await engine.load({ ...accumulating(3), name: "accumulating" });
});
afterAll(() => engine.close());

test("an output that stays in the engine gives a later run the same bits as one that is moved", async () => {
  let [x] = await engine.put([floats(0.1, 1e-30, 3e38)]);
  let moved = floats(0.1, 1e-30, 3e38);
  const y = floats(0.2, 1e-31, -1e38);
  for (let i = 0; i < 5; i++) {
    const { kept, outputs } = await session.runKeeping({ x, y }, ["next"], { outputs: ["product"] });
    const all = await session.run({ x: moved, y });
    expect(outputs).toEqual({ product: all.product });
    x.release();
    x = kept.next;
    moved = all.next;
  }
  expect(x.shape).toEqual([3]);
  expect(await x.read()).toEqual(moved);
});

test("tensors put into the engine are read back unchanged, also views of larger arrays; a run may keep outputs and return none", async () => {
  const { data } = floats(0, 1, 2, 3, 4);
  const given = [tensor([3], data.subarray(1, 4)), tensor([0]), floats(7)];
  const put = await engine.put(given);
  expect(await Promise.all(put.map((one) => one.read()))).toEqual(given.map(({ shape, data }) => ({ shape, data })));
  const { outputs, kept } = await session.runKeeping({ x: put[0], y: put[0] }, ["product"]);
  expect(outputs).toEqual({});
  expect((await kept.product.read()).data).toEqual(Float32Array.of(1, 4, 9));
});

test("a released tensor is refused by name", async () => {
  const [x] = await engine.put([floats(1, 2, 3)]);
  x.release();
  x.release();
  await expect(x.read()).rejects.toThrow(ResidentError);
  await expect(session.run({ x, y: x })).rejects.toThrow(/accumulating, "x": .* is lost: found it was released/);
});

test("a tensor of the wrong shape is refused like any other input", async () => {
  const [x] = await engine.put([floats(1, 2)]);
  await expect(session.run({ x, y: floats(1, 2, 3) })).rejects.toThrow(GraphError);
  await expect(session.runKeeping({ x: floats(1, 2, 3), y: floats(1, 2, 3) }, ["z"])).rejects.toThrow("found z");
});

test("a hundred steps that keep and release take no more memory than a few", async () => {
  const length = 4 << 20;
  const large = await engine.load(accumulating(length));
  let [x, y] = await engine.put([tensor([length]), tensor([length])]);
  const pss = (): number => processTreeMemory(engine.pid)?.pss ?? 0;
  let after10 = 0;
  for (let i = 0; i < 100; i++) {
    const { kept } = await large.runKeeping({ x, y }, ["next"]);
    x.release();
    x = kept.next;
    if (i === 9) after10 = pss();
  }
  // Without release, 90 tensors more of 16 MB each.
  expect(pss() - after10).toBeLessThan(400e6);
  for (const one of [x, y]) one.release();
  await large.release();
});

test("if the engine's process ends, its tensors are lost with a typed error, and the engine still works", async () => {
  const own = await startEngine({ threads: 1 });
  const program = await own.load(accumulating(3));
  const [x] = await own.put([floats(1, 2, 3)]);
  process.kill(own.pid!, "SIGKILL");
  await expect(program.run({ x, y: x })).rejects.toThrow();
  await expect(program.run({ x, y: x })).rejects.toThrow(/is lost: found its process has ended/);
  await expect(x.read()).rejects.toThrow(ResidentError);
  const [again] = await own.put([floats(1, 2, 3)]);
  expect((await program.run({ x: again, y: again }, { outputs: ["next"] })).next.data).toEqual(
    Float32Array.of(2, 4, 6),
  );
  await own.close();
});
