import { describe, expect, test } from "vitest";
import { Random, type Tensor, tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { type AttentionSite, masked, maskInputs } from "../../src/models/index.ts";
import { relativeError, run } from "../support/run.ts";

// Self-attention whose queries see only the keys with their own mark.

const site: AttentionSite = { path: "attn1", kind: "self", level: 0, index: 0, heads: 2, height: 3, width: 4 };
const [batch, tokens, width] = [2, site.height * site.width, 6];
const random = new Random(5);
const drawn = (...shape: number[]): Tensor =>
  tensor(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.between(-2, 2)),
  );
const [q, k, v] = [drawn(batch, tokens, width), drawn(batch, tokens, width), drawn(batch, tokens, width)];
const names = maskInputs("self", site);
const ones = tensor([batch, tokens], new Float32Array(batch * tokens).fill(1));
const marks = (): Tensor => {
  const made = drawn(batch, tokens);
  return { ...made, data: made.data.map((x) => (x > 0 ? 1 : 0)) };
};

async function attended(queries: Tensor, keys: Tensor, target: g.Target = "ort"): Promise<Tensor> {
  const [query, key, value] = ["q", "k", "v"].map((name) => g.input(name, ["B", tokens, width]));
  const y = masked(() => "self")(site, { query, key, value });
  return (await run({ y }, { q, k, v, [names.queries]: queries, [names.keys]: keys }, { target })).y;
}

/** softmax(q·kᵀ/√d)·v over the keys that a query sees, over all of them if it sees none. */
function reference(queries: Tensor, keys: Tensor): Tensor {
  const out = tensor([batch, tokens, width]);
  const depth = width / site.heads;
  const at = (x: Tensor, b: number, i: number, c: number): number => x.data[(b * tokens + i) * width + c];
  for (let b = 0; b < batch; b++) {
    for (let head = 0; head < site.heads; head++) {
      for (let i = 0; i < tokens; i++) {
        const seen = Array.from({ length: tokens }, (_, j) => j).filter(
          (j) => queries.data[b * tokens + i] === keys.data[b * tokens + j],
        );
        const all = seen.length > 0 ? seen : Array.from({ length: tokens }, (_, j) => j);
        const weights = all.map((j) => {
          if (seen.length === 0) return 1;
          let score = 0;
          for (let c = head * depth; c < (head + 1) * depth; c++) score += at(q, b, i, c) * at(k, b, j, c);
          return Math.exp(score / Math.sqrt(depth));
        });
        const total = weights.reduce((sum, w) => sum + w, 0);
        for (let c = head * depth; c < (head + 1) * depth; c++) {
          out.data[(b * tokens + i) * width + c] = all.reduce(
            (sum, j, n) => sum + (weights[n] / total) * at(v, b, j, c),
            0,
          );
        }
      }
    }
  }
  return out;
}

describe.each(["ort", "onnx"] as const)("for %s", (target) => {
  test("is softmax over the keys that a query sees", async () => {
    const [queries, keys] = [marks(), marks()];
    expect(relativeError(await attended(queries, keys, target), reference(queries, keys))).toBeLessThan(1e-5);
    // Marks have an effect: those of the queries and those of the keys.
    expect(relativeError(await attended(queries, keys, target), reference(keys, queries))).toBeGreaterThan(0.1);
  });

  test("with all tokens marked, or none, it is attention without a mask", async () => {
    const none = tensor([batch, tokens]);
    for (const all of [ones, none])
      expect(relativeError(await attended(all, all, target), reference(ones, ones))).toBeLessThan(1e-5);
  });

  test("a query that sees no key attends to all of them alike", async () => {
    const none = tensor([batch, tokens]);
    const y = await attended(ones, none, target);
    expect(relativeError(y, reference(ones, none))).toBeLessThan(1e-5);
  });
});
