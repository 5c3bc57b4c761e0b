import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  EngineError,
  GraphError,
  MemoryError,
  NumericError,
  type Tensor,
  tensor,
  UsageError,
} from "../../src/core/index.ts";
import { type Device, devices, type Engine, type Session } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { delicate, doubling, enormous, picking } from "./programs.ts";

const floats = (shape: number[], ...values: number[]): Tensor => tensor(shape, Float32Array.from(values));

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

test("an engine has its device, threads, version and process", () => {
  expect(engine).toMatchObject({ device: "cpu", versions: { onnxruntime: expect.stringMatching(/^\d+\.\d+\.\d+/) } });
  expect(engine.threads).toBeGreaterThanOrEqual(1);
  expect(engine.pid).not.toBe(process.pid);
});

describe("a session", () => {
  let session: Session;
  beforeAll(async () => {
    session = await engine.load(doubling());
  });

  test("runs every batch", async () => {
    for (const batch of [1, 2, 7]) {
      const data = Float32Array.from({ length: 3 * batch }, (_, i) => i / 7);
      const { y, z } = await session.run({ x: tensor([batch, 3], data) });
      expect(y).toEqual({ shape: [batch, 3], data: data.map((v) => v + v) });
      expect(z.shape).toEqual([batch, 3]);
    }
  });

  test("gives only the requested outputs, and refuses outputs that it does not have", async () => {
    const x = floats([1, 3], 1, 2, 3);
    expect(Object.keys(await session.run({ x }, { outputs: ["z"] }))).toEqual(["z"]);
    await expect(session.run({ x }, { outputs: ["z", "q", "r"] })).rejects.toThrow("found q, r, expected some of y, z");
  });

  test("runs simultaneous calls one after the other, each with its own answer", async () => {
    const runs = Array.from({ length: 20 }, (_, i) => session.run({ x: floats([1, 3], i, i, i) }));
    expect((await Promise.all(runs)).map(({ y }) => y.data[0])).toEqual(runs.map((_, i) => 2 * i));
  });

  test("changes neither its inputs nor outputs of earlier runs", async () => {
    const x = floats([1, 3], 1, 2, 3);
    const first = await session.run({ x });
    await session.run({ x: floats([1, 3], 9, 9, 9) });
    expect([...x.data, ...first.y.data]).toEqual([1, 2, 3, 2, 4, 6]);
  });

  test("takes tensors that are views of larger arrays", async () => {
    const { data } = floats([9], 0, 1, 2, 3, 4, 5, 6, 7, 8);
    const { y } = await session.run({ x: { shape: [1, 3], data: data.subarray(4, 7) } });
    expect([...y.data]).toEqual([8, 10, 12]);
  });

  test("moves large tensors unchanged", async () => {
    const data = Float32Array.from({ length: 3 * 400_001 }, (_, i) => i);
    const { y } = await session.run({ x: tensor([400_001, 3], data) });
    expect(y.data.every((v, i) => v === 2 * i)).toBe(true);
  });
});

test("whole numbers are fed as int64", async () => {
  const session = await engine.load(picking(3));
  const table = floats([4, 2], 0, 1, 2, 3, 4, 5, 6, 7);
  const { rows } = await session.run({ table, index: { shape: [3], data: Int32Array.of(3, 0, -1) } });
  expect(rows).toEqual(floats([3, 2], 6, 7, 0, 1, 6, 7));
});

test("all problems of the inputs are listed at once, and the engine still works", async () => {
  const session = await engine.load(picking(3));
  const feeds = { table: floats([4, 3], ...Array(12).fill(0)), indices: floats([1], 0), noise: floats([1], 0) };
  await expect(session.run(feeds)).rejects.toThrow(
    new GraphError("wrong inputs", {
      where: "picking",
      found:
        '"table" has shape [4, 3], expected [4, 2]; "index" is missing; "indices" is not an input; "noise" is not an input',
    }),
  );
  const floatIndex = { table: floats([4, 2], ...Array(8).fill(0)), index: floats([3], 0, 1, 2) };
  await expect(session.run(floatIndex)).rejects.toThrow('"index" holds float32, expected int64');
  const tooFew = {
    table: { shape: [4, 2], data: new Float32Array(7) },
    index: { shape: [3], data: new Int32Array(3) },
  };
  await expect(session.run(tooFew)).rejects.toThrow('"table" holds 7 numbers for [4, 2]');
  await expect(session.run({ ...tooFew, table: tensor([4, 2]) })).resolves.toHaveProperty("rows");
});

test("an index outside the table is an EngineError, and the engine still works", async () => {
  const session = await engine.load(picking(1));
  const table = floats([4, 2], ...Array(8).fill(0));
  const at = (i: number) => session.run({ table, index: { shape: [1], data: Int32Array.of(i) } });
  await expect(at(9)).rejects.toThrow(EngineError);
  await expect(at(1)).resolves.toHaveProperty("rows");
});

test("NaN and infinity are an error on request, with the names of program and outputs", async () => {
  const session = await engine.load(delicate());
  const x = floats([4], -1, 0, 1, 2);
  await expect(session.run({ x }, { finite: true })).rejects.toThrow(
    /^delicate: the results contain NaN or infinity: found 2 of 4 in "log", 1 of 4 in "inverse"/,
  );
  await expect(session.run({ x }, { finite: true })).rejects.toThrow(NumericError);
  await expect(session.run({ x }, { finite: true, outputs: ["same"] })).resolves.toHaveProperty("same");
  const { log } = await session.run({ x });
  expect(log.data[0]).toBeNaN();
});

test("running out of memory in native code is a MemoryError with the program's name, and the engine still works", async () => {
  const session = await engine.load(enormous());
  const { pid } = engine;
  const run = session.run({ x: tensor([2 ** 23, 1]), y: tensor([1, 2 ** 23]) });
  await expect(run).rejects.toThrow(MemoryError);
  await expect(run).rejects.toThrow(/^enormous: failed: memory ran out: found .*\n.*smaller picture/);
  await session.release();
  await (await engine.load(doubling())).run({ x: tensor([1, 3]) });
  expect(engine.pid).toBe(pid);
});

test("a released program does not run, and may be released again", async () => {
  const session = await engine.load(doubling());
  await session.release();
  await session.release();
  await expect(session.run({ x: tensor([1, 3]) })).rejects.toThrow(EngineError);
});

test("bytes that are not a model are an EngineError with the program's name", async () => {
  const broken = { ...doubling(), name: "broken", model: new Uint8Array(100).fill(7) };
  await expect(engine.load(broken)).rejects.toThrow(/^broken: cannot be loaded/);
});

test("every optimisation level gives the same numbers", async () => {
  for (const level of ["disabled", "basic", "extended", "all"] as const) {
    for (const prepack of [false, true]) {
      const session = await engine.load(doubling(), { level, prepack });
      const { y } = await session.run({ x: floats([1, 3], 1, 2, 3) });
      expect([...y.data]).toEqual([2, 4, 6]);
      await session.release();
    }
  }
});

/** Starts an engine on a device. Returns "runs", "replaced" if it is on another device, or the error. */
const outcomeOn = (device: Device): Promise<string> =>
  startEngine({ device }).then(
    async (started) => {
      await started.close();
      return started.device === device ? "runs" : "replaced";
    },
    (error: Error) => `${error.name}: ${error.message}`,
  );

test("the requested device runs, or a DeviceError gives the reason", async () => {
  const outcomes = await Promise.all(devices.map(outcomeOn));
  expect(outcomes[0]).toBe("runs");
  for (const [i, outcome] of outcomes.entries()) {
    const absent = `^DeviceError: this build of onnxruntime does not have the device: found ${devices[i]}, expected cpu`;
    const unusable = `^DeviceError: ${devices[i]}: the device cannot be used here: found .+--device cpu`;
    expect(outcome).toMatch(new RegExp(`^runs$|${absent}|${unusable}`, "s"));
  }
  // No machine has CUDA, Apple's and Microsoft's at once.
  expect(outcomes.filter((outcome) => outcome.startsWith("DeviceError")).length).toBeGreaterThan(1);
});

// onnxruntime-node has CUDA and WebGPU on Linux x64 alone. Elsewhere these devices are absent, as the test above expects.
const onLinux = process.platform === "linux" && process.arch === "x64";

test.runIf(onLinux)("an error about CUDA names the missing library and says how to get it", async () => {
  const outcome = await outcomeOn("cuda");
  const library = /lib\S+\.so\S*: cannot open shared object file/;
  const driver = /no CUDA-capable device/;
  expect(outcome).toMatch(new RegExp(`^runs$|${library.source}|${driver.source}`));
  if (outcome.includes("onnxruntime_providers_shared")) expect(outcome).toContain("baret cuda install");
});

test.runIf(onLinux)("an error about WebGPU gives the reason from the log of the graphics driver", async () => {
  const reason = /found .*(Failed to get a WebGPU adapter: .*; .*(vk|[Vv]ulkan)|libvulkan)/;
  expect(await outcomeOn("webgpu")).toMatch(new RegExp(`^runs$|${reason.source}`));
});

test("unknown devices and impossible numbers of threads are refused", async () => {
  await expect(startEngine({ device: "tpu" as "cpu" })).rejects.toThrow('found "tpu", expected cpu, cuda, webgpu');
  await expect(startEngine({ device: { toString: 1 } as never })).rejects.toThrow('found {"toString":1}, expected cpu');
  for (const threads of [0, -1, 1.5, Number.NaN, "1" as never, { toString: 1 } as never])
    await expect(startEngine({ threads })).rejects.toThrow(UsageError);
});

test("a closed engine runs nothing", async () => {
  const closing = await startEngine({ threads: 1 });
  const session = await closing.load(doubling());
  await closing.close();
  await expect(session.run({ x: tensor([1, 3]) })).rejects.toThrow("the engine is closed");
  await expect(closing.load(doubling())).rejects.toThrow("the engine is closed");
  await session.release();
  await closing.close();
});
