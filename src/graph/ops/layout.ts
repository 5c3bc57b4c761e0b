import { GraphError, shapeText } from "../../core/index.ts";
import { constant, defineOp, type Node } from "../operation.ts";
import { axisOf, type Dim, fixed, type Shape, sameShape } from "../shape.ts";
import { reshape } from "./arithmetic.ts";
import { emitReshape } from "./emit.ts";

const transposeOp = defineOp<{ order: readonly number[] }>("transpose", {
  shape: ([x], { order }) => {
    if (order.length !== x.length || new Set(order).size !== x.length) {
      throw new GraphError("not a permutation of the axes", {
        found: `[${order}]`,
        expected: `all axes of ${shapeText(x)}, once each`,
      });
    }
    return order.map((a) => x[axisOf(x, a)]);
  },
  gradient: (dy, { attrs: { order } }) => [
    () =>
      transpose(
        dy,
        order.map((_, i) => order.indexOf(i)),
      ),
  ],
  half: true,
  implement: { lower: (out, [x], { attrs }) => out.node("Transpose", [x], { perm: attrs.order }) },
});
/** Axis i of the result is axis order[i] of x. */
export const transpose = (x: Node, order: readonly number[]): Node => transposeOp([x], { order });

const concatOp = defineOp<{ axis: number }>("concat", {
  shape: (shapes, { axis }) => {
    const rest = (s: Shape) => s.filter((_, i) => i !== axis);
    if (shapes.some((s) => s.length !== shapes[0].length || !sameShape(rest(s), rest(shapes[0])))) {
      throw new GraphError("shapes differ in more than the axis", {
        found: shapes.map(shapeText).join(", "),
        expected: `axis ${axis}`,
      });
    }
    const total = shapes.reduce((n, s) => n + fixed(s, axis), 0);
    return shapes[0].map((d, i) => (i === axis ? total : d));
  },
  gradient: (dy, { inputs, attrs: { axis } }) => {
    let at = 0;
    return inputs.map((x) => {
      const from = at;
      at += fixed(x.shape, axis);
      const to = at;
      return () => slice(dy, axis, from, to);
    });
  },
  half: true,
  implement: { lower: (out, xs, { attrs }) => out.node("Concat", xs, { axis: attrs.axis }) },
});
/** Joins values along `axis`. */
export const concat = (xs: readonly Node[], axis: number): Node =>
  xs.length === 1 ? xs[0] : concatOp(xs, { axis: axisOf(xs[0].shape, axis) });

type Range = { axis: number; from: number; to: number; step: number };
const sliceOp = defineOp<Range>("slice", {
  shape: ([x], { axis, from, to, step }) => {
    const n = fixed(x, axis);
    if (!(0 <= from && from <= to && to <= n && step >= 1)) {
      throw new GraphError("range outside the axis", { found: `${from}..${to} by ${step}`, expected: `0..${n}` });
    }
    return x.map((d, i) => (i === axis ? Math.ceil((to - from) / step) : d));
  },
  gradient: (dy, { inputs: [x], attrs: { axis, from, step } }) => [
    () => {
      const spaced = dilate(dy, axis, step);
      const after = fixed(x.shape, axis) - from - fixed(spaced.shape, axis);
      return pad(spaced, axis, from, after);
    },
  ],
  half: true,
  implement: {
    lower: (out, [x], { attrs: { axis, from, to, step } }) =>
      out.node("Slice", [x, out.ints([from]), out.ints([to]), out.ints([axis]), out.ints([step])]),
  },
});
/** Elements from, from + step, … before `to` along `axis`. */
export function slice(x: Node, axis: number, from: number, to: number, step = 1): Node {
  const at = axisOf(x.shape, axis);
  return from === 0 && to === x.shape[at] && step === 1 ? x : sliceOp([x], { axis: at, from, to, step });
}

/** Inserts step − 1 zeros between neighbours along `axis`. */
function dilate(x: Node, axis: number, step: number): Node {
  if (step === 1) return x;
  const n = fixed(x.shape, axis);
  const split = [...x.shape.slice(0, axis), n, 1, ...x.shape.slice(axis + 1)];
  const joined = x.shape.map((d, i) => (i === axis ? n * step : d));
  return slice(reshape(pad(reshape(x, split), axis + 1, 0, step - 1), joined), axis, 0, (n - 1) * step + 1);
}

const padOp = defineOp<{ axis: number; before: number; after: number }>("pad", {
  shape: ([x], { axis, before, after }) => {
    if (before < 0 || after < 0) throw new GraphError("negative padding", { found: `${before} and ${after}` });
    return x.map((d, i) => (i === axis ? fixed(x, axis) + before + after : d));
  },
  gradient: (dy, { inputs: [x], attrs: { axis, before } }) => [
    () => slice(dy, axis, before, before + fixed(x.shape, axis)),
  ],
  half: true,
  implement: {
    lower: (out, [x], { attrs: { axis, before, after } }) =>
      out.node("Pad", [x, out.ints([before, after]), undefined, out.ints([axis])], { mode: "constant" }),
  },
});
/** Adds zeros before and after along `axis`. */
export const pad = (x: Node, axis: number, before: number, after: number): Node =>
  before === 0 && after === 0 ? x : padOp([x], { axis: axisOf(x.shape, axis), before, after });

const gatherOp = defineOp<Record<string, never>>("gather", {
  shape: ([table, index]) => [...index, ...table.slice(1)],
  gradient: (dy, { inputs: [table, index] }) => [() => scatterAdd(dy, index, table), null],
  half: true,
  implement: {
    // The index is fed as a column: see fedShape.
    ort: { lower: (out, [table, index]) => out.node("GatherND", [table, index]) },
    onnx: {
      lower: (out, [table, index], { node, shapes: [rows, at] }) => {
        const gathered = out.node("Gather", [table, index], { axis: 0 });
        return emitReshape(out, gathered, [...at, 1, ...rows.slice(1)], node.shape);
      },
    },
  },
});
/** Picks rows of `table` [n, …] by their numbers: index [i, j] (int64) → [i, j, …]. Routes and embeddings use it. */
export function gather(table: Node, index: Node): Node {
  if (index.dtype !== "int64") throw new GraphError("an index must be int64", { where: "gather", found: index.dtype });
  return gatherOp([table, index], {});
}

const scatterOp = defineOp<Record<string, never>>("scatterAdd", {
  shape: ([dy, index, like]) => {
    const expected = [...index, ...like.slice(1)];
    if (!sameShape(dy, expected))
      throw new GraphError("rows do not fit the table", { found: shapeText(dy), expected: shapeText(expected) });
    return like;
  },
  gradient: (dy, { inputs: [, index] }) => [() => gather(dy, index), null, null],
  implement: {
    lower: (out, [dy, index, like]) => {
      const zeros = out.node("ConstantOfShape", [out.node("Shape", [like])]);
      return out.node("ScatterND", [zeros, index, dy], { reduction: "add" });
    },
  },
});
/** Adds row k of `dy` to row index[k] of zeros with the shape of `like`. */
const scatterAdd = (dy: Node, index: Node, like: Node): Node => scatterOp([dy, index, like], {});

const upsampleOp = defineOp<Record<string, never>>("upsample2x", {
  shape: ([x]) => [x[0], x[1], 2 * fixed(x, 2), 2 * fixed(x, 3)],
  gradient: (dy) => [() => sumPool2x(dy)],
  half: true,
  implement: {
    lower: (out, [x]) =>
      out.node("Resize", [x, undefined, out.floats(Float32Array.of(1, 1, 2, 2), [4], "float32")], {
        mode: "nearest",
        coordinate_transformation_mode: "asymmetric",
        nearest_mode: "floor",
      }),
  },
});
/** Nearest-neighbour upsampling by 2. x: [B, C, H, W] → [B, C, 2H, 2W]. */
export const upsample2x = (x: Node): Node => upsampleOp([x], {});

const half = (n: number): Dim => {
  if (n % 2) throw new GraphError("a length is odd", { found: `${n}` });
  return n / 2;
};
const sumPoolOp = defineOp<Record<string, never>>("sumPool2x", {
  shape: ([x]) => [x[0], x[1], half(fixed(x, 2)), half(fixed(x, 3))],
  gradient: (dy) => [() => upsample2x(dy)],
  implement: {
    lower: (out, [x]) => {
      const average = out.node("AveragePool", [x], { kernel_shape: [2, 2], strides: [2, 2] });
      return out.node("Mul", [average, out.floats(Float32Array.of(4), [])]);
    },
  },
});
/** Sum of each 2×2 block. x: [B, C, 2H, 2W] → [B, C, H, W]. */
const sumPool2x = (x: Node): Node => sumPoolOp([x], {});

const afterOp = defineOp<Record<string, never>>("after", {
  shape: ([x]) => x,
  gradient: (dy, { inputs: [, ...first] }) => [() => dy, ...first.map(() => null)],
  half: true,
  implement: {
    // Joins an empty piece of each of `first`: this copies nothing, but onnxruntime must compute them before.
    lower: (out, [x, ...first], { shapes: [shape] }) => {
      const fitted = out.ints(shape.map((_, i) => (i === 0 ? 0 : fixed(shape, i))));
      const empty = first.map((y) =>
        out.node("Reshape", [out.node("Slice", [y, out.ints([0]), out.ints([0])]), fitted], { allowzero: 1 }),
      );
      return out.node("Concat", [x, ...empty], { axis: 0 });
    },
  },
});
/** x itself, but not before `first` are computed. Keeps recomputed values from being computed early and held. */
export const after = (x: Node, ...first: Node[]): Node => (first.length === 0 ? x : afterOp([x, ...first], {}));

/** Returns a constant whose numbers are all `value`. */
export const filled = (value: number, shape: readonly number[]): Node =>
  constant(new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(value), shape);
