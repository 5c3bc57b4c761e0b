import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { fixture, relativeError, run } from "../support/run.ts";

// Made by tools/parity/ops.py with PyTorch in float64; see tools/parity/README.md.
const at = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const cases = JSON.parse(readFileSync(at("ops.json"), "utf8")) as Record<
  string,
  { op: string; attrs: Record<string, never>; inputs: string[] }
>;
const reference = await fixture(at("ops.safetensors"));

type Attrs = Record<string, number & boolean & number[]>;
type Pads = [number, number, number, number];
const windows = ({ stride, pads }: Attrs) => ({ stride, pads: pads as number[] as Pads });
const unary = (f: (x: g.Node) => g.Node) => (xs: g.Node[]) => f(xs[0]);

/** The graph of each reference case. */
const build: Record<string, (xs: g.Node[], attrs: Attrs, out: readonly number[]) => g.Node> = {
  add: ([a, b]) => g.add(a, b),
  sub: ([a, b]) => g.sub(a, b),
  mul: ([a, b]) => g.mul(a, b),
  div: ([a, b]) => g.div(a, b),
  silu: unary(g.silu),
  gelu: unary(g.gelu),
  quick_gelu: unary(g.quickGelu),
  sigmoid: unary(g.sigmoid),
  tanh: unary(g.tanh),
  exp: unary(g.exp),
  sin: unary(g.sin),
  cos: unary(g.cos),
  neg: unary(g.neg),
  square: unary(g.square),
  log: unary(g.log),
  sqrt: unary(g.sqrt),
  rsqrt: ([x]) => g.div(1, g.sqrt(x)),
  reciprocal: ([x]) => g.div(1, x),
  relu: unary(g.relu),
  matmul: ([a, b], { transposeA, transposeB }) => g.matmul(a, b, { transA: transposeA, transB: transposeB }),
  linear: ([x, w, b]) => g.linear(x, w, b),
  conv2d: ([x, w, b], attrs) => g.conv2d(x, w, b, windows(attrs)),
  group_norm: ([x, w, b], { groups, eps }) => g.groupNorm(x, w, b, groups, eps),
  layer_norm: ([x, w, b], { eps }) => g.layerNorm(x, w, b, eps),
  softmax: unary(g.softmax),
  attention: ([q, k, v], { heads, causal }) => g.attention(q, k, v, { heads, causal }),
  upsample_nearest2: unary(g.upsample2x),
  concat: (xs, { axis }) => g.concat(xs, axis),
  slice: ([x], { axes, starts, ends }) =>
    (axes as number[]).reduce((y, axis, i) => g.slice(y, axis, (starts as number[])[i], (ends as number[])[i]), x),
  transpose: ([x], { perm }) => g.transpose(x, perm),
  reshape: ([x], { shape }) => g.reshape(x, shape),
  expand: ([x], _, out) => g.broadcastLike(x, g.input("like", out)),
  gather_rows: ([x, rows]) => g.gather(x, rows),
  embedding: ([table, ids]) => g.gather(table, ids),
  mean: ([x], { axes, keepDims }) => g.mean(x, axes, keepDims),
  sum: ([x], { axes, keepDims }) => g.sum(x, axes, keepDims),
  max_pool: ([x], { kernel, ceil, ...attrs }) => g.maxPool(x, { kernel, ceil, ...windows(attrs) }),
};
// The engine has no such operation, or only as a part of another one.
const absent = ["abs", "clamp", "log_softmax", "causal_softmax", "avg_pool"];
const special: Record<string, (xs: g.Node[], attrs: Attrs) => g.Node> = {
  attention_probabilities: ([q, k], { heads }) => g.attentionMaps(q, k, heads),
};

const runnable = Object.entries(cases).filter(
  ([name, { op }]) =>
    !absent.includes(op) && name !== "l2-normalise-channels" && name !== "attention-probabilities-causal",
);

describe.each(["ort", "onnx"] as const)("on target %s", (target) => {
  test.each(runnable)("%s: value and gradients agree with PyTorch", async (name, { op, attrs, inputs }) => {
    const given = inputs.map((_, i) => reference[`${name}/in${i}`]);
    const out = reference[`${name}/out`] as Tensor;
    const nodes = given.map((x, i) => g.input(`in${i}`, x.shape, x.data instanceof Float32Array ? "float32" : "int64"));
    const make = op === "l2_normalise" ? unary(g.normalise) : (build[op] ?? special[op]);
    const y = make(nodes, attrs as unknown as Attrs, out.shape);
    const floats = nodes.filter((x) => x.dtype === "float32");
    const grads = g.gradients(y, floats, g.input("dy", y.shape));
    const outputs = { out: y, ...Object.fromEntries(floats.map((x, i) => [`d${g.nameOf(x).slice(2)}`, grads[i]])) };
    const feeds = {
      ...Object.fromEntries(given.map((x, i) => [`in${i}`, x])),
      dy: reference[`${name}/dy`],
      like: out,
    };
    const result = await run(outputs, feeds, { target });
    for (const [key, value] of Object.entries(result)) {
      const expected = reference[`${name}/${key}`] as Tensor;
      expect(relativeError(value, { ...expected, shape: value.shape }), `${name}/${key}`).toBeLessThan(1e-5);
    }
  });
});
