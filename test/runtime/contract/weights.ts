import { CheckpointError, EngineError, NumericError, tensor } from "../../../src/core/index.ts";
import { add, input, matmul, type Node, parameter } from "../../../src/graph/index.ts";
import { loadGraph } from "../../../src/runtime/index.ts";
import { encodeSafetensors, memorySource, readSafetensors, type WeightSet } from "../../../src/weights/index.ts";
import { eighths, eighthsIn, type FloatDtype } from "../../support/floats.ts";
import { rejects, same } from "./claims.ts";
import type { EnginePromise } from "./promises.ts";

async function checkpoint(a: FloatDtype, b: FloatDtype): Promise<WeightSet> {
  const bytes = encodeSafetensors({
    "a.weight": eighthsIn(a, [5, 7], 3),
    "b.weight": eighthsIn(b, [7, 4], 5),
    position_ids: { dtype: "I64", shape: [2], data: new BigInt64Array(2) },
  });
  return (await readSafetensors(memorySource(`${a} and ${b}`, bytes))).tensors;
}

/** y = x·a·b and z = x·a. x: [B, 5]. */
function graph(): Record<"y" | "z", Node> {
  const z = matmul(input("x", ["B", 5]), parameter("a.weight", [5, 7]));
  return { y: matmul(z, parameter("b.weight", [7, 4])), z };
}

const x = tensor([2, 5], eighths([2, 5], 7));
const product = (left: Float32Array, right: Float32Array, inner: number, columns: number): Float32Array =>
  Float32Array.from({ length: (left.length / inner) * columns }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += left[Math.floor(i / columns) * inner + k] * right[k * columns + (i % columns)];
    }
    return sum;
  });
// All of them are multiples of 1/512 far below 2^24/512: exact in any order of summation.
const z = product(x.data, eighths([5, 7], 3), 5, 7);
const y = product(z, eighths([7, 4], 5), 7, 4);

const dtypes: readonly (readonly [FloatDtype, FloatDtype])[] = [
  ["F32", "F32"],
  ["F16", "F16"],
  ["BF16", "F32"],
  ["F16", "BF16"],
];

/** Weights that an engine maps. */
export const weights: readonly EnginePromise[] = [
  ...dtypes.map(
    ([a, b]): EnginePromise => ({
      name: `weights of ${a} and ${b} give the products of their numbers`,
      keep: async ({ engine }) => {
        const mapped = await engine.mapWeights(await checkpoint(a, b));
        const session = await loadGraph(engine, graph(), { name: "products", weights: mapped });
        await mapped.release();
        const result = await session.run({ x });
        await session.release();
        same(result.z.data, z);
        same(result.y.data, y);
      },
    }),
  ),
  {
    name: "programs share mapped weights, which stay until the last program is released",
    keep: async ({ engine, kill }) => {
      const mapped = await engine.mapWeights(await checkpoint("F16", "F32"));
      const { y: whole, z: part } = graph();
      const first = await loadGraph(engine, { y: whole }, { name: "whole", weights: mapped });
      const second = await loadGraph(engine, { z: part }, { name: "part", weights: mapped });
      await mapped.release();
      await first.release();
      await first.release();
      // A new process loads the program again, with its weights.
      await kill(engine);
      same((await second.run({ x })).z.data, z);
      await second.release();
      await rejects(loadGraph(engine, { z: part }, { name: "late", weights: mapped }), EngineError, /released weights/);
    },
  },
  ...(
    [
      ["is missing", () => parameter("c.weight", [3]), /^c\.weight: a weight is missing: expected \[3\]/],
      ["has another shape", () => parameter("a.weight", [7, 5]), /shape: found \[5, 7\], expected \[7, 5\]/],
      ["has another dtype", () => parameter("position_ids", [2]), /"position_ids": dtype: found I64/],
    ] as const
  ).map(
    ([how, wrong, message]): EnginePromise => ({
      name: `a weight that ${how} is a CheckpointError`,
      keep: async ({ engine }) => {
        const mapped = await engine.mapWeights(await checkpoint("F16", "F16"));
        const failing = loadGraph(engine, { p: add(wrong(), 1) }, { name: "wrong", weights: mapped });
        await rejects(failing, CheckpointError, message);
        await mapped.release();
      },
    }),
  ),
  {
    name: "weights that are not a number are a NumericError on request",
    keep: async ({ engine }) => {
      const data = Float32Array.of(1, Number.NaN);
      const bytes = encodeSafetensors({ p: { dtype: "F32", shape: [2], data } });
      const { tensors } = await readSafetensors(memorySource("damaged", bytes));
      const mapped = await engine.mapWeights(tensors);
      const q = add(parameter("p", [2]), input("x", [2]));
      const session = await loadGraph(engine, { q }, { name: "damaged", weights: mapped });
      await mapped.release();
      const found = /^damaged: the results contain NaN or infinity: found 1 of 2 in "q"/;
      await rejects(session.run({ x: tensor([2]) }, { finite: true }), NumericError, found);
      await session.release();
    },
  },
];
