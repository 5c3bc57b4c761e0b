import { GraphError, noise, ResidentError, type Tensor, tensor } from "../../../src/core/index.ts";
import { adamScalars } from "../../../src/graph/index.ts";
import { holds, rejects, same } from "./claims.ts";
import { accumulating, adam } from "./programs.ts";
import type { EnginePromise } from "./promises.ts";

const floats = (...values: number[]): Tensor => tensor([values.length], Float32Array.from(values));

/** Tensors that stay in the engine. */
export const residents: readonly EnginePromise[] = [
  {
    name: "an output that stays in the engine gives a later run the same bits as one that is moved",
    keep: async ({ engine }) => {
      const session = await engine.load(accumulating(engine, 3));
      let [x] = await engine.put([floats(0.1, 1e-30, 3e38)]);
      let moved = floats(0.1, 1e-30, 3e38);
      const y = floats(0.2, 1e-31, -1e38);
      for (let i = 0; i < 5; i++) {
        const { kept, outputs } = await session.runKeeping({ x, y }, ["next"], { outputs: ["product"] });
        const all = await session.run({ x: moved, y });
        same(outputs, { product: all.product });
        x.release();
        x = kept.next;
        moved = all.next;
      }
      same(x.shape, [3]);
      same(await x.read(), moved);
      x.release();
      await session.release();
    },
  },
  {
    name: "tensors put into the engine are read back unchanged, also views of larger arrays and empty ones",
    keep: async ({ engine }) => {
      const { data } = floats(0, 1, 2, 3, 4);
      const given = [tensor([3], data.subarray(1, 4)), tensor([0]), floats(7)];
      const put = await engine.put(given);
      for (const _ of ["once", "twice"]) {
        same(
          await Promise.all(put.map((one) => one.read())),
          given.map(({ shape, data }) => ({ shape, data })),
        );
      }
      same(
        (await engine.read(put)).map((one) => one.data.length),
        [3, 0, 1],
      );
    },
  },
  {
    name: "a run may keep outputs and return none, or return what it keeps",
    keep: async ({ engine }) => {
      const session = await engine.load(accumulating(engine, 3));
      const x = floats(1, 2, 3);
      const { outputs, kept } = await session.runKeeping({ x, y: x }, ["product"]);
      same(outputs, {});
      same((await kept.product.read()).data, [1, 4, 9]);
      const both = await session.runKeeping({ x, y: kept.product }, ["next"], { outputs: ["next"] });
      same(both.outputs.next.data, [2, 6, 12]);
      same((await both.kept.next.read()).data, [2, 6, 12]);
      same((await kept.product.read()).data, [1, 4, 9]);
      await session.release();
    },
  },
  {
    name: "a released tensor is refused by name",
    keep: async ({ engine }) => {
      const session = await engine.load(accumulating(engine, 3));
      const [x] = await engine.put([floats(1, 2, 3)]);
      x.release();
      x.release();
      await rejects(x.read(), ResidentError);
      await rejects(session.run({ x, y: x }), ResidentError, /accumulating, "x": .* is lost: found it was released/);
      await session.release();
    },
  },
  {
    name: "a kept tensor of the wrong shape is refused like any other input",
    keep: async ({ engine }) => {
      const session = await engine.load(accumulating(engine, 3));
      const [x] = await engine.put([floats(1, 2)]);
      await rejects(session.run({ x, y: floats(1, 2, 3) }), GraphError);
      await rejects(session.runKeeping({ x: floats(1, 2, 3), y: floats(1, 2, 3) }, ["z"]), GraphError, /found z/);
      await session.release();
    },
  },
  {
    name: "steps of Adam in place change weights and moments as a program does, and leave other tensors alone",
    keep: async ({ engine }) => {
      const [shape, options] = [[3, 7], { weightDecay: 0.1 }] as const;
      const session = await engine.load(adam(engine, shape, options.weightDecay));
      const [start, gradient, other] = [1, 2, 3].map((seed) => noise(shape, seed));
      const [value, first, second, kept] = await engine.adam!.put([start, tensor(shape), tensor(shape), other]);
      // A gradient may have another shape.
      const [flat] = await engine.put([{ ...gradient, shape: [21] }]);
      let found: Record<string, Tensor> = {
        "next value": start,
        "next first": tensor(shape),
        "next second": tensor(shape),
      };
      for (let t = 1; t <= 3; t++) {
        const scalars = Object.entries(adamScalars(t, 0.01, options)).map(([name, x]) => [
          name,
          tensor([], Float32Array.of(x)),
        ]);
        const state = { value: found["next value"], first: found["next first"], second: found["next second"] };
        found = await session.run({ ...state, gradient, ...Object.fromEntries(scalars) });
        await engine.adam!.step([{ value, first, second, gradient: flat }], t, 0.01, options);
      }
      const names = ["next value", "next first", "next second"];
      for (const [i, inPlace] of (await engine.read([value, first, second])).entries()) {
        const { data } = found[names[i]];
        same(inPlace.shape, shape);
        const error = Math.max(...inPlace.data.map((x, k) => Math.abs(x - data[k]) / Math.max(1, Math.abs(data[k]))));
        holds(error < 1e-6, `${names[i]} differs by ${error} from a program's`);
      }
      same(await kept.read(), other);
      value.release();
      await rejects(engine.adam!.step([{ value, first, second, gradient: flat }], 4, 0.01), ResidentError);
      await session.release();
    },
    not: { webgpu: "it keeps tensors in the memory of the device" },
  },
  {
    name: "if the engine's process ends, its tensors are lost with a typed error, and the engine still works",
    keep: async ({ start, kill }) => {
      const own = await start({ threads: 1 });
      const program = await own.load(accumulating(own, 3));
      const [x] = await own.put([floats(1, 2, 3)]);
      await kill(own);
      await rejects(program.run({ x, y: x }), ResidentError, /is lost: found its process has ended/);
      await rejects(x.read(), ResidentError);
      const [again] = await own.put([floats(1, 2, 3)]);
      same((await program.run({ x: again, y: again }, { outputs: ["next"] })).next.data, [2, 4, 6]);
      await own.close();
    },
  },
];
