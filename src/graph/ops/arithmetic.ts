import { GraphError, shapeText } from "../../core/index.ts";
import { defineOp, type Node, scalar } from "../operation.ts";
import { axisOf, broadcast, count, isSymbolic, product, type Shape, sameShape } from "../shape.ts";
import { emitReshape } from "./emit.ts";

// Arithmetic with broadcasting, reshaping and sums. They are in one file because each needs the others for its gradient.

type None = Record<string, never>;

/** Returns a number as a value with the dtype of the other operand. */
const operand = (x: Node | number, other: Node | number): Node =>
  typeof x !== "number" ? x : scalar(x, typeof other !== "number" && other.dtype === "float16" ? "float16" : "float32");

/**
 * Returns an elementwise operation on two values that broadcast. gradient: dL/da and dL/db, before they are summed to their
 * shapes.
 */
function binary(name: string, op: string, gradient: (dy: Node, a: Node, b: Node, y: Node) => [() => Node, () => Node]) {
  const make = defineOp<None>(name, {
    shape: ([a, b]) => broadcast(a, b),
    gradient: (dy, { inputs: [a, b], output }) => {
      const [da, db] = gradient(dy, a, b, output);
      return [() => sumTo(da(), a), () => sumTo(db(), b)];
    },
    half: true,
    implement: { lower: (out, inputs) => out.node(op, inputs) },
  });
  return (a: Node | number, b: Node | number): Node => make([operand(a, b), operand(b, a)], {});
}

/** a + b */
export const add: (a: Node | number, b: Node | number) => Node = binary("add", "Add", (dy) => [() => dy, () => dy]);
/** a − b */
export const sub: (a: Node | number, b: Node | number) => Node = binary("sub", "Sub", (dy) => [
  () => dy,
  () => neg(dy),
]);
/** a·b */
export const mul: (a: Node | number, b: Node | number) => Node = binary("mul", "Mul", (dy, a, b) => [
  () => mul(dy, b),
  () => mul(dy, a),
]);
/** a/b */
export const div: (a: Node | number, b: Node | number) => Node = binary("div", "Div", (dy, _, b, y) => [
  () => div(dy, b),
  () => neg(mul(dy, div(y, b))),
]);

const negOp = defineOp<None>("neg", {
  shape: ([x]) => x,
  gradient: (dy) => [() => neg(dy)],
  half: true,
  implement: { lower: (out, inputs) => out.node("Neg", inputs) },
});
/** −x */
export const neg = (x: Node): Node => negOp([x], {});

const reshapeOp = defineOp<{ shape: Shape }>("reshape", {
  shape: ([x], { shape }) => {
    if (product(x) !== product(shape))
      throw new GraphError("element counts differ", { found: `${shapeText(x)} to ${shapeText(shape)}` });
    return shape;
  },
  gradient: (dy, { inputs: [x] }) => [() => reshape(dy, x.shape)],
  half: true,
  implement: { lower: (out, [x], { attrs, shapes }) => emitReshape(out, x, shapes[0], attrs.shape) },
  memory: { view: true },
});
/** Returns the same numbers in row-major order, with another shape. */
export const reshape = (x: Node, shape: Shape): Node => (sameShape(x.shape, shape) ? x : reshapeOp([x], { shape }));

const broadcastOp = defineOp<Record<string, never>>("broadcastLike", {
  shape: ([x, like]) => {
    if (!sameShape(broadcast(x, like), like))
      throw new GraphError("does not broadcast", { found: `${shapeText(x)} to ${shapeText(like)}` });
    return like;
  },
  gradient: (dy, { inputs: [x] }) => [() => sumTo(dy, x), null],
  implement: { lower: (out, [x, like]) => out.node("Expand", [x, out.node("Shape", [like])]) },
});
/** x repeated to the shape of `like`. The numbers of `like` are not read. */
export function broadcastLike(x: Node, like: Node): Node {
  return sameShape(x.shape, like.shape) ? x : broadcastOp([x, like], {});
}

type Axes = { axes: readonly number[]; keep: boolean };

const reduced = (shape: Shape, { axes, keep }: Axes): Shape =>
  shape.map((d, i) => (axes.includes(i) ? 1 : d)).filter((_, i) => keep || !axes.includes(i));

/** Repeats dy of a reduction to the shape of its input. */
const spread = (dy: Node, x: Node, { axes }: Axes): Node =>
  broadcastLike(reshape(dy, reduced(x.shape, { axes, keep: true })), x);

const reduction = (name: string, onnx: string, scale: (x: Node, axes: readonly number[]) => number) =>
  defineOp<Axes>(name, {
    shape: ([x], attrs) => reduced(x, attrs),
    gradient: (dy, { inputs: [x], attrs }) => {
      return [
        () => {
          const k = scale(x, attrs.axes);
          return spread(k === 1 ? dy : mul(dy, k), x, attrs);
        },
      ];
    },
    implement: {
      lower: (out, [x], { attrs }) => out.node(onnx, [x, out.ints(attrs.axes)], { keepdims: attrs.keep ? 1 : 0 }),
    },
  });

const sumOp = reduction("sum", "ReduceSum", () => 1);
const meanOp = reduction("mean", "ReduceMean", (x, axes) => 1 / count(axes.map((a) => x.shape[a])));

const every = (x: Node): readonly number[] => x.shape.map((_, i) => i);
const axesOf = (x: Node, axes: readonly number[]) => axes.map((a) => axisOf(x.shape, a)).sort((a, b) => a - b);

/** Makes a reduction. Over axes of length 1 it is only a reshape. */
function reduce(op: typeof sumOp, x: Node, axes: readonly number[], keep: boolean): Node {
  const attrs = { axes: axesOf(x, axes), keep };
  const isOne = attrs.axes.every((a) => x.shape[a] === 1);
  return isOne ? reshape(x, reduced(x.shape, attrs)) : op([x], attrs);
}

/** Sum over `axes`. Default: all. keep: the axes stay, with length 1. */
export const sum = (x: Node, axes: readonly number[] = every(x), keep = false): Node => reduce(sumOp, x, axes, keep);
/** Mean over `axes`. Default: all. keep: the axes stay, with length 1. Not differentiable over a batch of any size. */
export const mean = (x: Node, axes: readonly number[] = every(x), keep = false): Node => reduce(meanOp, x, axes, keep);

/** Returns the mean of x² over all elements. */
export const meanSquare = (x: Node): Node => mean(mul(x, x));

/** Sums `dy` over the axes along which broadcasting repeated `like`. */
export function sumTo(dy: Node, like: Node): Node {
  if (sameShape(dy.shape, like.shape)) return dy;
  const lead = dy.shape.length - like.shape.length;
  const axes = dy.shape
    .map((_, i) => i)
    .filter((i) => i < lead || (like.shape[i - lead] === 1 && (dy.shape[i] !== 1 || isSymbolic(dy.shape[i]))));
  return reshape(sum(dy, axes, true), like.shape);
}
