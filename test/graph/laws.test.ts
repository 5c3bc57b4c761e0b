import { describe, expect, test } from "vitest";
import { Random, shapeText, type Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { make } from "../../src/graph/operation.ts";
import { rewrite } from "../../src/graph/order.ts";
import { relativeError, run } from "../support/run.ts";
import { cases } from "./cases.ts";
import { allCases, outputsOf, subjectOf, TOLERANCE, wrongResults } from "./subject.ts";

// Checks the value and the gradients of every operation against central differences of a reference in double precision,
// which shares no code with it.

test("every operation of the table is tested here", () => {
  expect(Object.keys(cases).sort()).toEqual([...g.operations.keys()].sort());
});

describe.each(["ort", "onnx"] as const)("on target %s", (target) => {
  test.each(allCases)("%s: value and gradients agree with the reference", async (_, op, one) => {
    const subject = subjectOf(op, one);
    expect(wrongResults(subject, await run(outputsOf(subject), subject.feeds, { target }))).toEqual([]);
    for (const { name, value } of subject.gradients) {
      if (!one.flat) expect(Math.hypot(...value.data), `${name} is not zero`).toBeGreaterThan(0.01);
    }
  });
});

/** Mistakes in one node of a gradient that keep its shape: a wrong sign, a missing term, a missing factor. */
function mistakes(node: g.Node): [string, g.Node][] {
  const [a, b] = node.inputs;
  const like = (y: g.Node): boolean => shapeText(y.shape) === shapeText(node.shape);
  const either = (word: string): [string, g.Node][] =>
    [a, b].filter(like).map((y) => [`${node.op.name}: ${word} ${y === a ? 2 : 1} is missing`, y]);
  switch (node.op.name) {
    case "neg":
      return [["a sign is wrong", a]];
    case "add":
      return [["a sign is wrong", g.sub(a, b)], ...either("term")];
    case "sub":
      return [["a sign is wrong", g.add(a, b)], ...either("term")];
    case "mul":
    case "div":
      return either("factor");
    default:
      return [];
  }
}

/** All graphs that differ from `graph` by one mistake in the nodes that the gradient rule made. */
function mutants(graph: g.Node, given: ReadonlySet<g.Node>): [string, g.Node][] {
  return g
    .inOrder([graph])
    .filter((node) => !given.has(node))
    .flatMap((wrong) =>
      mistakes(wrong).map(([what, instead]): [string, g.Node] => {
        const [mutant] = rewrite([graph], (node, inputs) =>
          node === wrong
            ? instead
            : inputs.every((x, i) => x === node.inputs[i])
              ? node
              : make(node.op, inputs, node.attrs),
        );
        return [what, mutant];
      }),
    );
}

/** Cases of operations that have a gradient. */
const smooth = allCases.filter(([, op, one]) => subjectOf(op, one).gradients.length > 0);

test.each(smooth)("%s: a wrong sign or a dropped term in a gradient would be noticed", async (_, op, one) => {
  const { node, feeds, gradients } = subjectOf(op, one);
  const outputs: Record<string, g.Node> = {};
  const expected: Record<string, Tensor> = {};
  for (const { name, graph, value } of gradients) {
    const negated = ["the whole gradient has the wrong sign", g.neg(graph)] as const;
    for (const [i, [what, mutant]] of [...(one.flat ? [] : [negated]), ...mutants(graph, new Set([node]))].entries()) {
      const key = `${name}, mistake ${i}: ${what}`;
      outputs[key] = mutant;
      expected[key] = value;
    }
  }
  const result = await run(outputs, feeds);
  const unnoticed = Object.keys(outputs).filter((key) => relativeError(result[key], expected[key]) < TOLERANCE);
  expect(unnoticed).toEqual([]);
});

test("attention with large maps has the same gradients as each of its heads alone", async () => {
  const [heads, length, width] = [5, 2048, 4];
  const shape = [1, length, heads * width];
  const random = new Random(17);
  const names = ["q", "k", "v", "dy"] as const;
  const inputs = names.map((name) => g.input(name, shape));
  const feeds = Object.fromEntries(
    names.map((name) => [
      name,
      { shape, data: Float32Array.from({ length: length * heads * width }, () => random.normal()) },
    ]),
  );
  const [q, k, v, dy] = inputs;
  const cut = (x: g.Node, i: number) => g.slice(x, 2, i * width, (i + 1) * width);
  const whole = g.gradients(g.attention(q, k, v, { heads }), [q, k, v], dy);
  const single = Array.from({ length: heads }, (_, i) => {
    const own = [q, k, v].map((x) => cut(x, i));
    return g.gradients(g.attention(own[0], own[1], own[2], { heads: 1 }), own, cut(dy, i));
  });
  const outputs = Object.fromEntries(
    ["dq", "dk", "dv"].flatMap((name, n) => [
      [name, whole[n]],
      [
        `${name} by heads`,
        g.concat(
          single.map((parts) => parts[n]),
          2,
        ),
      ],
    ]),
  );
  expect(g.inOrder(whole).filter(({ op }) => op.name === "after").length).toBeGreaterThan(0);
  const result = await run(outputs, feeds);
  for (const name of ["dq", "dk", "dv"])
    expect(relativeError(result[name], result[`${name} by heads`])).toBeLessThan(1e-5);
});
