import { GraphError, shapeText, sizeOf } from "../../core/index.ts";
import { defineOp, type Emitter, type Node } from "../operation.ts";
import { fixed, type Shape, sameShape } from "../shape.ts";

/** Windows of a pooling. pads: [top, left, bottom, right]. ceil: the last window may reach beyond the padded picture. */
export type Pooling = {
  kernel: number;
  stride: number;
  pads: readonly [number, number, number, number];
  ceil: boolean;
};

/** Returns the shape of the maxima. x: [B, C, H, W]. */
function pooled(x: Shape, { kernel, stride, pads: [top, left, bottom, right], ceil }: Pooling): Shape {
  const length = (axis: number, before: number, after: number): number => {
    const n = fixed(x, axis);
    const steps = (n + before + after - kernel) / stride;
    // As in PyTorch, a window that reaches beyond the picture begins inside it.
    const last = ceil ? Math.min(Math.ceil(steps), Math.ceil((n + before) / stride) - 1) : Math.floor(steps);
    if (last < 0)
      throw new GraphError("smaller than the window", { found: shapeText(x), expected: `${kernel} a side` });
    return last + 1;
  };
  if (x.length !== 4) throw new GraphError("not [B, C, H, W]", { found: shapeText(x) });
  return [x[0], x[1], length(2, top, bottom), length(3, left, right)];
}

function requireShape(found: Shape, expected: Shape): void {
  if (!sameShape(found, expected)) {
    throw new GraphError("values do not fit the windows", { found: shapeText(found), expected: shapeText(expected) });
  }
}

/** Emits the maxima and their places, which count through the whole of x. */
const emitMaxima = (out: Emitter, x: string, { kernel, stride, pads, ceil }: Pooling): string[] =>
  out.nodes(2, "MaxPool", [x], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads,
    ceil_mode: ceil ? 1 : 0,
  });

const flat = (out: Emitter, x: string): string => out.node("Reshape", [x, out.ints([-1])]);
const like = (out: Emitter, x: string, shaped: string): string => out.node("Reshape", [x, out.node("Shape", [shaped])]);

const maxPoolOp = defineOp<Pooling>("maxPool", {
  shape: ([x], attrs) => pooled(x, attrs),
  gradient: (dy, { inputs: [x], attrs }) => [() => scatterMaxima(dy, x, attrs)],
  implement: { lower: (out, [x], { attrs }) => emitMaxima(out, x, attrs)[0] },
});

/** Returns the largest value of each window; equal ones count once. x: [B, C, H, W] → [B, C, H', W']. */
export const maxPool = (
  x: Node,
  { kernel, stride = kernel, pads = [0, 0, 0, 0], ceil = false }: Pick<Pooling, "kernel"> & Partial<Pooling>,
): Node => maxPoolOp([x], { kernel, stride, pads, ceil });

const scatterOp = defineOp<Pooling>("scatterMaxima", {
  shape: ([dy, x], attrs) => {
    requireShape(dy, pooled(x, attrs));
    return x;
  },
  gradient: (dz, { inputs: [, x], attrs }) => [() => gatherMaxima(dz, x, attrs), null],
  implement: {
    lower: (out, [dy, x], { attrs }) => {
      const [, places] = emitMaxima(out, x, attrs);
      const zeros = flat(out, out.node("ConstantOfShape", [out.node("Shape", [x])]));
      const sums = out.node("ScatterElements", [zeros, flat(out, places), flat(out, dy)], {
        axis: 0,
        reduction: "add",
      });
      return like(out, sums, x);
    },
  },
  // The maxima, and their places as 64-bit integers.
  memory: { workspace: ([dy]) => [3 * sizeOf(dy)] },
});
/** Adds each value of `dy` to zeros, at the place of its window's maximum in x. */
const scatterMaxima = (dy: Node, x: Node, attrs: Pooling): Node => scatterOp([dy, x], attrs);

const gatherOp = defineOp<Pooling>("gatherMaxima", {
  shape: ([v, x], attrs) => {
    requireShape(v, x);
    return pooled(x, attrs);
  },
  gradient: (dy, { inputs: [, x], attrs }) => [() => scatterMaxima(dy, x, attrs), null],
  implement: {
    lower: (out, [v, x], { attrs }) => {
      const [maxima, places] = emitMaxima(out, x, attrs);
      return like(out, out.node("GatherElements", [flat(out, v), flat(out, places)], { axis: 0 }), maxima);
    },
  },
  memory: { workspace: (_, y) => [3 * sizeOf(y)] },
});
/** For each window, the value of `v` at the place of the maximum in x. */
const gatherMaxima = (v: Node, x: Node, attrs: Pooling): Node => gatherOp([v, x], attrs);
