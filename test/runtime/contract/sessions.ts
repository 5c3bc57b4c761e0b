import {
  EngineError,
  GraphError,
  MemoryError,
  NumericError,
  type Tensor,
  tensor,
  UsageError,
} from "../../../src/core/index.ts";
import { add, input, matmul } from "../../../src/graph/index.ts";
import { loadGraph } from "../../../src/runtime/index.ts";
import { holds, rejects, same } from "./claims.ts";
import { delicate, doubling, enormous, picking } from "./programs.ts";
import type { EnginePromise } from "./promises.ts";

export const floats = (shape: number[], ...values: number[]): Tensor => tensor(shape, Float32Array.from(values));

/** Loading programs and running them. */
export const programs: readonly EnginePromise[] = [
  {
    name: "an engine has its device, threads and version",
    keep: async ({ engine, start }) => {
      holds(engine.threads >= 1, "threads >= 1");
      holds(/^\d+\.\d+\.\d+/.test(engine.versions.onnxruntime), `a version: ${engine.versions.onnxruntime}`);
      const own = await start({ threads: 1 });
      same([own.device, own.threads], [engine.device, 1]);
      await own.close();
    },
  },
  {
    name: "a session runs every batch",
    keep: async ({ engine }) => {
      const session = await engine.load(doubling(engine));
      for (const batch of [1, 2, 7]) {
        const data = Float32Array.from({ length: 3 * batch }, (_, i) => i / 7);
        const { y, z } = await session.run({ x: tensor([batch, 3], data) });
        same(y, { shape: [batch, 3], data: data.map((v) => v + v) });
        same(z.shape, [batch, 3]);
      }
      await session.release();
    },
  },
  {
    name: "a session gives only the requested outputs, and refuses outputs that it does not have",
    keep: async ({ engine }) => {
      const session = await engine.load(doubling(engine));
      const x = floats([1, 3], 1, 2, 3);
      same(Object.keys(await session.run({ x }, { outputs: ["z"] })), ["z"]);
      await rejects(session.run({ x }, { outputs: ["z", "q", "r"] }), GraphError, /found q, r, expected some of y, z/);
      await session.release();
    },
  },
  {
    name: "simultaneous calls run one after the other, each with its own answer",
    keep: async ({ engine }) => {
      const session = await engine.load(doubling(engine));
      const runs = Array.from({ length: 20 }, (_, i) => session.run({ x: floats([1, 3], i, i, i) }));
      same(
        (await Promise.all(runs)).map(({ y }) => y.data[0]),
        runs.map((_, i) => 2 * i),
      );
      await session.release();
    },
  },
  {
    name: "a run changes neither its inputs nor outputs of earlier runs",
    keep: async ({ engine }) => {
      const session = await engine.load(doubling(engine));
      const x = floats([1, 3], 1, 2, 3);
      const first = await session.run({ x });
      await session.run({ x: floats([1, 3], 9, 9, 9) });
      same([...x.data, ...first.y.data], [1, 2, 3, 2, 4, 6]);
      await session.release();
    },
  },
  {
    name: "tensors may be views of larger arrays, whose other numbers stay",
    keep: async ({ engine }) => {
      const session = await engine.load(doubling(engine));
      const { data } = floats([9], 0, 1, 2, 3, 4, 5, 6, 7, 8);
      const { y } = await session.run({ x: { shape: [1, 3], data: data.subarray(4, 7) } });
      same([...y.data, ...data], [8, 10, 12, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
      await session.release();
    },
  },
  {
    name: "large tensors arrive unchanged",
    keep: async ({ engine }) => {
      const session = await engine.load(doubling(engine));
      const data = Float32Array.from({ length: 3 * 400_001 }, (_, i) => i);
      const { y } = await session.run({ x: tensor([400_001, 3], data) });
      holds(
        y.data.every((v, i) => v === 2 * i),
        "every number is doubled",
      );
      await session.release();
    },
  },
  {
    name: "whole numbers are fed as int64",
    keep: async ({ engine }) => {
      const session = await engine.load(picking(engine, 3));
      const table = floats([4, 2], 0, 1, 2, 3, 4, 5, 6, 7);
      const { rows } = await session.run({ table, index: { shape: [3], data: Int32Array.of(3, 0, -1) } });
      same(rows, floats([3, 2], 6, 7, 0, 1, 6, 7));
      await session.release();
    },
  },
  {
    name: "all problems of the inputs are listed at once, and the engine still works",
    keep: async ({ engine }) => {
      const session = await engine.load(picking(engine, 3));
      const feeds = { table: floats([4, 3], ...Array(12).fill(0)), indices: floats([1], 0), noise: floats([1], 0) };
      const all =
        /^picking: wrong inputs: found "table" has shape \[4, 3\], expected \[4, 2\]; "index" is missing; "indices" is not an input; "noise" is not an input/;
      await rejects(session.run(feeds), GraphError, all);
      const floatIndex = { table: floats([4, 2], ...Array(8).fill(0)), index: floats([3], 0, 1, 2) };
      await rejects(session.run(floatIndex), GraphError, /"index" holds float32, expected int64/);
      const tooFew = {
        table: { shape: [4, 2], data: new Float32Array(7) },
        index: { shape: [3], data: new Int32Array(3) },
      };
      await rejects(session.run(tooFew), GraphError, /"table" holds 7 numbers for \[4, 2\]/);
      same((await session.run({ ...tooFew, table: tensor([4, 2]) })).rows.shape, [3, 2]);
      await session.release();
    },
  },
  {
    name: "an index outside the table is an EngineError, and the engine still works",
    not: { webgpu: "kernels of a graphics card do not check an index" },
    keep: async ({ engine }) => {
      const session = await engine.load(picking(engine, 1));
      const table = floats([4, 2], ...Array(8).fill(0));
      const at = (i: number) => session.run({ table, index: { shape: [1], data: Int32Array.of(i) } });
      await rejects(at(9), EngineError, /^picking: failed/);
      same((await at(1)).rows.data, [0, 0]);
      await session.release();
    },
  },
  {
    name: "NaN and infinity are an error on request, with the names of program and outputs",
    not: { webgpu: "WGSL leaves the logarithm of a negative number open" },
    keep: async ({ engine }) => {
      const session = await engine.load(delicate(engine));
      const x = floats([4], -1, 0, 1, 2);
      const said =
        /^delicate: the results contain NaN or infinity: found 2 of 4 in "log", 1 of 4 in "inverse".*weights are damaged/s;
      await rejects(session.run({ x }, { finite: true }), NumericError, said);
      same((await session.run({ x }, { finite: true, outputs: ["same"] })).same, x);
      holds(Number.isNaN((await session.run({ x })).log.data[0]), "without the request, NaN is returned");
      await session.release();
    },
  },
  {
    name: "running out of memory in native code is a MemoryError with the program's name, and the engine still works",
    not: { webgpu: "the device's own limit of a buffer refuses it first" },
    keep: async ({ engine }) => {
      const session = await engine.load(enormous(engine));
      const run = session.run({ x: tensor([2 ** 23, 1]), y: tensor([1, 2 ** 23]) });
      await rejects(run, MemoryError, /^enormous: failed: memory ran out: found .*\n.*smaller picture/s);
      await session.release();
      const other = await engine.load(doubling(engine));
      same((await other.run({ x: floats([1, 3], 1, 2, 3) })).y.data, [2, 4, 6]);
      await other.release();
    },
  },
  {
    name: "a program that needs more memory than there is, is refused before it is loaded, and a batch before it runs",
    not: { webgpu: "a device's free memory is not known" },
    keep: async ({ engine }) => {
      const x = input("x", ["B", 2 ** 20]);
      const huge = { y: matmul(add(x, x), input("w", [2 ** 20, 4])) };
      const refused = /^huge needs more memory than is free: .*expected \d+\.\d GB/;
      await rejects(loadGraph(engine, huge, { name: "huge", batch: 2 ** 20 }), MemoryError, refused);
      const session = await loadGraph(engine, huge, { name: "huge" });
      const rows = 2 ** 22;
      let refusal: unknown;
      try {
        session.checkBatch(rows);
      } catch (error) {
        refusal = error;
      }
      holds(refusal instanceof MemoryError, "a batch of 2^22 rows is refused");
      await session.release();
    },
  },
  {
    name: "a released program does not run, and may be released again",
    keep: async ({ engine }) => {
      const session = await engine.load(doubling(engine));
      await session.release();
      await session.release();
      await rejects(session.run({ x: tensor([1, 3]) }), EngineError, /was released/);
    },
  },
  {
    name: "bytes that are not a model are an EngineError with the program's name",
    keep: async ({ engine }) => {
      const broken = { ...doubling(engine), name: "broken", model: new Uint8Array(100).fill(7) };
      await rejects(engine.load(broken), EngineError, /^broken: cannot be loaded/);
    },
  },
  {
    name: "every optimisation level gives the same numbers",
    keep: async ({ engine }) => {
      for (const level of ["disabled", "basic", "extended", "all"] as const) {
        for (const prepack of [false, true]) {
          const session = await engine.load(doubling(engine), { level, prepack });
          same((await session.run({ x: floats([1, 3], 1, 2, 3) })).y.data, [2, 4, 6]);
          await session.release();
        }
      }
    },
  },
  {
    name: "unknown devices and impossible numbers of threads are refused",
    keep: async ({ start }) => {
      for (const threads of [0, -1, 1.5, Number.NaN, "1" as never, { toString: 1 } as never]) {
        await rejects(start({ threads }), UsageError, /threads/);
      }
      await rejects(start({ device: "tpu" } as never), UsageError, /found "tpu", expected cpu, /);
      await rejects(start({ device: { toString: 1 } } as never), UsageError, /found {"toString":1}, expected cpu/);
    },
  },
  {
    name: "a closed engine runs nothing",
    keep: async ({ start }) => {
      const closing = await start({ threads: 1 });
      const session = await closing.load(doubling(closing));
      await closing.close();
      await rejects(session.run({ x: tensor([1, 3]) }), EngineError, /the engine is closed/);
      await rejects(closing.load(doubling(closing)), EngineError, /the engine is closed/);
      await session.release();
      await closing.close();
    },
  },
  {
    name: "two engines compute at once, each with its own programs",
    keep: async ({ start }) => {
      const engines = await Promise.all([start({ threads: 1 }), start({ threads: 1 })]);
      const sessions = await Promise.all(engines.map((one) => one.load(doubling(one))));
      const results = await Promise.all(sessions.map((session, i) => session.run({ x: floats([1, 3], i, i, i) })));
      same(
        results.map(({ z }) => z.data[2]),
        [0, 3],
      );
      await engines[0].close();
      same((await sessions[1].run({ x: floats([1, 3], 1, 2, 3) })).y.data, [2, 4, 6]);
      await engines[1].close();
    },
  },
];
