import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { InferenceSession } from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { noise, type Tensor, tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { relativeError, run } from "../support/run.ts";

const folder = mkdtempSync(join(tmpdir(), "baret-int8-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [INPUTS, OUTPUTS] = [96, 40];
const weight = noise([OUTPUTS, INPUTS], 1);
const bias = noise([OUTPUTS], 2);
const layerOf = (rows: number) => {
  const x = g.input("x", [2, rows, INPUTS]);
  const w = g.constant(weight.data, weight.shape);
  const b = g.constant(bias.data, bias.shape);
  return { exact: g.linear(x, w, b), rounded: g.linearInt8(x, w, b) };
};

test("a layer in 8 bits is about 1 % from float32", async () => {
  const { exact, rounded } = await run(layerOf(50), { x: noise([2, 50, INPUTS], 3) });
  expect(relativeError(rounded, exact)).toBeLessThan(0.015);
  expect(relativeError(rounded, exact)).toBeGreaterThan(1e-3);
});

test("a row does not depend on the others, not even on much larger ones", async () => {
  const x = noise([2, 50, INPUTS], 3);
  const other: Tensor = { ...x, data: x.data.map((value, i) => (i < 2 * INPUTS ? value : 1000 * value + 7)) };
  const [one, two] = [await run(layerOf(50), { x }), await run(layerOf(50), { x: other })];
  const own = (results: Record<string, Tensor>) => results.rounded.data.subarray(0, 2 * OUTPUTS);
  expect(own(two)).toEqual(own(one));
  expect(two.rounded.data.subarray(2 * OUTPUTS)).not.toEqual(one.rounded.data.subarray(2 * OUTPUTS));
});

test("a row of zeros gives the bias", async () => {
  const { rounded } = await run(layerOf(1), { x: tensor([2, 1, INPUTS]) });
  expect(rounded.data.subarray(0, OUTPUTS)).toEqual(bias.data);
});

test("a number that is not finite spoils its row, as in float32", async () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const x = noise([2, 1, INPUTS], 3);
    x.data[5] = bad;
    const { rounded } = await run(layerOf(1), { x });
    expect([...rounded.data.subarray(0, OUTPUTS)].some(Number.isFinite)).toBe(false);
    expect([...rounded.data.subarray(OUTPUTS)].every(Number.isFinite)).toBe(true);
  }
});

test("it has no gradient, and takes no weight that does not fit", () => {
  const x = g.input("x", [2, 3, INPUTS]);
  const w = g.input("w", [OUTPUTS, INPUTS]);
  expect(() => g.gradients(g.meanSquare(g.linearInt8(x, w)), [x])).toThrow(/8 bits has no gradient/);
  expect(() => g.linearInt8(x, g.input("w", [OUTPUTS, 7]))).toThrow(/linearInt8.*do not fit/);
});

test("a program in 8 bits rounds mapped weights of layers over tokens once, when it is loaded", async () => {
  writeFileSync(join(folder, "weights"), new Uint8Array(weight.data.buffer));
  const [x, time] = [g.input("x", [2, 3, INPUTS]), g.input("time", [2, INPUTS])];
  const fed = g.parameter("fed", weight.shape);
  const mapped = g.parameter("mapped", weight.shape);
  const { model, graph } = g.compile(
    { tokens: g.linear(x, mapped), fedTokens: g.linear(x, fed), one: g.linear(time, mapped) },
    {
      name: "layers",
      int8: true,
      bind: (name) =>
        name === "fed" ? "fed" : { source: { name: "weights" }, offset: 0, length: 4 * OUTPUTS * INPUTS },
    },
  );
  expect(graph.map(({ op }) => op.name)).toEqual(["linearInt8", "matmul", "matmul"]);
  const path = join(folder, "optimised.onnx");
  const session = await InferenceSession.create(model, {
    graphOptimizationLevel: "basic",
    optimizedModelFilePath: path,
    extra: { session: { model_external_initializers_file_folder_path: folder } },
  });
  await session.release();
  const kinds = fromBinary(ModelProtoSchema, readFileSync(path)).graph!.node.map(({ opType }) => opType);
  expect(kinds.filter((kind) => kind === "QuantizeLinear" || kind === "Abs" || kind === "Transpose")).toEqual([
    "Abs",
    "QuantizeLinear",
  ]);
});
