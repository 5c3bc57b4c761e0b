import { type IntTensor, Random, type Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { make } from "../../src/graph/operation.ts";
import { relativeError } from "../support/run.ts";
import { type Case, cases } from "./cases.ts";
import * as r from "./reference.ts";

/** Inputs of a case. Single precision represents their floats exactly. */
function inputsOf({ shapes, rows, positive }: Case): r.Nd[] {
  const random = new Random(11);
  const value = () => Math.fround(random.between(0.2, 1.5) * (positive || random.below(2) ? 1 : -1));
  return shapes.map((shape, i) => r.build(shape, () => (rows?.[i] ? random.below(rows[i]) : value())));
}

const tensorOf = ({ shape, data }: r.Nd): Tensor => ({ shape, data: Float32Array.from(data) });

/** Σ dy·f(x) by central differences, for each element of input `i`. */
function differences(reference: Case["reference"], inputs: r.Nd[], i: number, dy: number[]): Tensor {
  const step = 1e-5;
  const value = (k: number, h: number): number => {
    const moved = inputs.map((x, n) => (n === i ? { ...x, data: x.data.map((v, at) => (at === k ? v + h : v)) } : x));
    return r.sumOf(reference(moved).data.map((v, at) => v * dy[at]));
  };
  return tensorOf({
    shape: inputs[i].shape,
    data: inputs[i].data.map((_, k) => (value(k, step) - value(k, -step)) / (2 * step)),
  });
}

/** A use of an operation as a graph, with the true values of its results. */
export interface Subject {
  node: g.Node;
  feeds: Record<string, Tensor | IntTensor>;
  value: Tensor;
  /** Gradient graph and its true value, for each input that has one. */
  gradients: { name: string; graph: g.Node; value: Tensor }[];
}

/** Builds the graph of a case and computes its true values. */
export function subjectOf(op: string, one: Case): Subject {
  const inputs = inputsOf(one);
  const whole = (i: number) => one.rows?.[i] !== undefined;
  const nodes = inputs.map(({ shape }, i) => g.input(`x${i}`, shape, whole(i) ? "int64" : "float32"));
  const node = make(g.operations.get(op)!, nodes, one.attrs ?? {});
  const random = new Random(13);
  const dy = r.build(node.shape as number[], () => Math.fround(random.normal()));
  const smooth = nodes.flatMap((_, i) => (whole(i) || one.shapeOnly?.includes(i) ? [] : [i]));
  const graphs = g.gradients(
    node,
    smooth.map((i) => nodes[i]),
    g.input("dy", node.shape),
  );
  const feeds: Subject["feeds"] = { dy: tensorOf(dy) };
  for (const [i, { shape, data }] of inputs.entries()) {
    feeds[`x${i}`] = whole(i) ? { shape, data: Int32Array.from(data) } : tensorOf({ shape, data });
  }
  return {
    node,
    feeds,
    value: tensorOf(one.reference(inputs)),
    gradients: smooth.map((i, n) => ({
      name: `input ${i}`,
      graph: graphs[n],
      value: differences(one.reference, inputs, i, dy.data),
    })),
  };
}

/** Largest relative error of a right result. */
export const TOLERANCE = 2e-5;

/** All cases: title, name of the operation, case. */
export const allCases = Object.entries(cases).flatMap(([op, list]) =>
  list.map((one, i) => [`${op} ${i + 1}`, op, one] as const),
);

/** The results of a subject that are wrong, with their errors. Results: "value", and the name of each gradient. */
export function wrongResults(
  { value, gradients }: Subject,
  results: Readonly<Record<string, Tensor>>,
  tolerance = TOLERANCE,
): string[] {
  return [{ name: "value", value }, ...gradients]
    .map(({ name, value: expected }) => ({ name, error: relativeError(results[name], expected) }))
    .filter(({ error }) => !(error < tolerance))
    .map(({ name, error }) => `${name}: ${error.toExponential(1)}`);
}

/** The graphs of a subject by the names of their results. */
export const outputsOf = ({ node, gradients }: Subject): Record<string, g.Node> =>
  Object.fromEntries([["value", node], ...gradients.map(({ name, graph }) => [name, graph])]);
