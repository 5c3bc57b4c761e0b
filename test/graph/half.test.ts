import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import { noise, type Tensor, toFloat16 } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { toFloat32 } from "../../src/weights/index.ts";
import { type Feeds, relativeError, run } from "../support/run.ts";

/** float16 has 11 bits, so one rounding is at most 2^-11. */
const ROUNDING = 2 ** -11;

const [x, y] = [g.input("x", [2, 8, 6, 5]), g.input("y", [2, 12, 16])];
const feeds: Feeds = { x: noise([2, 8, 6, 5], 1), y: noise([2, 12, 16], 2) };
const weight = (shape: number[], seed: number): g.Node => {
  const { data } = noise(shape, seed);
  return g.constant(
    data.map((v) => v / 4),
    shape,
  );
};

const graphs: Record<string, g.Node> = {
  convolution: g.conv2d(x, weight([4, 8, 3, 3], 3), weight([4], 4), { stride: 1, pads: [1, 1, 1, 1] }),
  "linear layer": g.linear(y, weight([9, 16], 5), weight([9], 6)),
  attention: g.attention(y, g.mul(y, 0.5), y, { heads: 4 }),
  "causal attention": g.attention(y, y, y, { heads: 2, causal: true }),
  "group normalisation": g.groupNorm(x, weight([8], 7), weight([8], 8), 4, 1e-5),
  "layer normalisation": g.layerNorm(y, weight([16], 9), weight([16], 10), 1e-5),
  activations: g.add(g.silu(y), g.add(g.gelu(y), g.quickGelu(y))),
  upsampling: g.upsample2x(x),
  "numbers beyond its range": g.mul(g.sub(y, y), -1e30),
};

describe.each([
  { target: "ort", roundsHalf: false },
  { target: "onnx", roundsHalf: false },
  { target: "ort", roundsHalf: true },
] as const)("in float16, with $target, roundsHalf $roundsHalf", ({ target, roundsHalf }) => {
  test.each(Object.entries(graphs))("%s has the values of float32, but for rounding", async (_, value) => {
    const whole = await run({ value }, feeds, { target });
    const half = await run({ value }, feeds, { target, half: true, roundsHalf });
    expect(relativeError(half.value, whole.value)).toBeLessThan(6 * ROUNDING);
  });
});

test("rounding gives the results of float16 one by one: numbers beyond its range become infinite, and no others change", async () => {
  const far = g.mul(g.mul(y, 1e4), 1e4);
  const back = g.mul(far, 1e-4);
  const third = g.mul(g.mul(y, 1 / 3), 3);
  const results = await run({ back, third, sums: g.sum(g.mul(y, 16), [2]) }, feeds, { half: true, roundsHalf: true });
  const near = (x: number): number => toFloat32(new Uint8Array(toFloat16(Float32Array.of(x)).buffer), "F16")[0];
  const { data } = feeds.y as Tensor;
  expect(results.back.data.some((value) => value === Number.POSITIVE_INFINITY)).toBe(true);
  expect([...results.third.data]).toEqual([...data].map((x) => near(near(near(x) * near(1 / 3)) * 3)));
  // Sums are float32, so one beyond the rounding of float16 is kept.
  expect([...results.sums.data].some((value) => value !== near(value))).toBe(true);
});

test("sums and norms stay float32, and so do inputs and outputs", () => {
  const value = g.mean(g.groupNorm(g.mul(x, 2), weight([8], 7), weight([8], 8), 4, 1e-5));
  const { graph, inputs, outputs } = g.compile(
    { value },
    { name: "half", target: "onnx", half: true, bind: () => "fed" },
  );
  const dtypes = new Map(g.inOrder(graph).map(({ op, dtype }) => [op.name, dtype]));
  expect(Object.fromEntries(dtypes)).toMatchObject({ mul: "float16", groupNorm: "float32", mean: "float32" });
  expect([...inputs, ...outputs].map(({ dtype }) => dtype)).toEqual(["float32", "float32"]);
});

test("values of different dtypes do not meet", () => {
  expect(() => g.add(x, g.cast(x, "float16"))).toThrow(/add.*dtypes differ: found float32 and float16/);
});

describe("a weight in a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "baret-half-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const { data } = noise([6, 16], 20);
  const files = { float32: new Uint8Array(data.buffer), float16: new Uint8Array(toFloat16(data).buffer) };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  const whole = g.parameter("w", [6, 16]);
  const outputs = {
    all: g.linear(y, whole),
    rows: g.linear(y, g.slice(whole, 0, 2, 5)),
    shaped: g.linear(g.reshape(y, [2, 24, 8]), g.reshape(whole, [12, 8])),
  };

  test.each([
    ["float32", false, 0],
    ["float32", true, 3],
    ["float16", true, 0],
    ["float16", false, 3],
  ] as const)("of %s serves a program (in float16: %s), with %s conversions", async (dtype, half, conversions) => {
    const bind = () => ({ source: { name: dtype }, offset: 0, length: files[dtype].length, half: dtype === "float16" });
    const program = g.compile(outputs, { name: "mapped", target: "onnx", half, bind });
    const text = new TextDecoder("latin1").decode(program.model);
    expect(text.match(/weight\/Cast_\d+/g)?.filter((name, i, all) => all.indexOf(name) === i).length ?? 0).toBe(
      conversions,
    );
    const session = await InferenceSession.create(program.model, {
      extra: { session: { model_external_initializers_file_folder_path: folder } },
    });
    const found = await session.run({
      y: new OrtTensor("float32", (feeds.y.data as Float32Array).slice(), y.shape as number[]),
    });
    await session.release();
    const expected = await run(outputs, { ...feeds, w: { shape: [6, 16], data } });
    for (const [name, { shape, data: values }] of Object.entries(expected)) {
      expect(
        relativeError({ shape, data: found[name].data as Float32Array }, { shape, data: values }),
        name,
      ).toBeLessThan(dtype === "float32" && !half ? 1e-6 : 6 * ROUNDING);
    }
  });
});
