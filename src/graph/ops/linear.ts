import { GraphError, shapeText, sizeOf } from "../../core/index.ts";
import { defineOp, type Emitter, type Lower, type Node } from "../operation.ts";
import { broadcast, product, type Shape, withBatch } from "../shape.ts";
import { add, reshape, sum, sumTo } from "./arithmetic.ts";
import { emitReshape } from "./emit.ts";
import { slice } from "./layout.ts";

type Transposes = { transA: boolean; transB: boolean; alpha: number };

const lengths = ([a, b]: readonly Shape[], { transA, transB }: Transposes) => {
  const [m, k] = transA ? [a.at(-1), a.at(-2)] : [a.at(-2), a.at(-1)];
  const [k2, n] = transB ? [b.at(-1), b.at(-2)] : [b.at(-2), b.at(-1)];
  return { m, n, k, k2 };
};

/** Returns the number of elements for a batch of one. */
const elements = (shape: Shape): number => sizeOf(withBatch(shape, 1));

const matmulOp = defineOp<Transposes>("matmul", {
  shape: ([a, b], attrs) => {
    const { m, n, k, k2 } = lengths([a, b], attrs);
    if (a.length < 2 || b.length < 2 || k !== k2) {
      throw new GraphError("matrices do not fit", {
        found: `${shapeText(a)} and ${shapeText(b)}, ${JSON.stringify(attrs)}`,
      });
    }
    return [...broadcast(a.slice(0, -2), b.slice(0, -2)), m!, n!];
  },
  gradient: (dy, { inputs: [a, b], attrs: { transA, transB, alpha } }) => [
    () => {
      const grad = transA
        ? matmul(b, dy, { transA: transB, transB: true, alpha })
        : matmul(dy, b, { transB: !transB, alpha });
      return sumTo(grad, a);
    },
    () => {
      const [x, y] = transB ? [dy, a] : [a, dy];
      // A matrix that the whole batch shares: one product over all rows replaces a batch of products and a sum.
      if (b.shape.length === 2 && a.shape.length > 2 && !transA)
        return matmul(asMatrix(x), asMatrix(y), { transA: true, alpha });
      const grad = transB
        ? matmul(x, y, { transA: true, transB: transA, alpha })
        : matmul(x, y, { transA: !transA, alpha });
      return sumTo(grad, b);
    },
  ],
  half: true,
  implement: {
    ort: {
      lower: (out, inputs, { attrs: { transA, transB, alpha } }) =>
        transA || transB || alpha !== 1
          ? out.node(
              "FusedMatMul",
              inputs,
              { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { float: alpha } },
              "com.microsoft",
            )
          : out.node("MatMul", inputs),
    },
    onnx: {
      lower: (out, inputs, { attrs, shapes }) => {
        const swapped = (x: string, { length }: Shape) =>
          out.node("Transpose", [x], {
            perm: Array.from({ length }, (_, i) => (i < length - 2 ? i : 2 * length - 3 - i)),
          });
        const scaled = (x: string) => out.node("Mul", [x, out.floats(Float32Array.of(attrs.alpha), [])]);
        let [a, b] = inputs;
        // The smaller matrix is scaled, and before the product, which is then less likely to leave the range of float16.
        if (attrs.alpha !== 1) {
          if (elements(shapes[0]) <= elements(shapes[1])) a = scaled(a);
          else b = scaled(b);
        }
        return out.node("MatMul", [attrs.transA ? swapped(a, shapes[0]) : a, attrs.transB ? swapped(b, shapes[1]) : b]);
      },
    },
  },
  arithmetic: ([a], y, { transA }) => 2 * sizeOf(y) * a[a.length - (transA ? 2 : 1)],
});

/** [..., C] → [n, C] */
const asMatrix = (x: Node): Node => reshape(x, [product(x.shape.slice(0, -1)), x.shape.at(-1)!]);

/** alpha·A·B over the last two axes. transA, transB: the matrix is transposed. The axes before broadcast. */
export const matmul = (
  a: Node,
  b: Node,
  { transA = false, transB = false, alpha = 1 }: Partial<Transposes> = {},
): Node => matmulOp([a, b], { transA, transB, alpha });

/** Returns the shape of a linear layer's result. Throws GraphError if input, weight [out, in] and bias do not fit. */
function layerShape([x, w, b]: readonly Shape[]): Shape {
  if (x.length < 2 || w.length !== 2 || x.at(-1) !== w[1] || (b && (b.length !== 1 || b[0] !== w[0]))) {
    throw new GraphError("input, weight and bias do not fit", {
      found: [x, w, b].filter(Boolean).map(shapeText).join(", "),
    });
  }
  return [...x.slice(0, -1), w[0]];
}

const linearOp = defineOp<Record<string, never>>("linear", {
  shape: layerShape,
  gradient: (dy, { inputs: [x, w] }) => [
    () => matmul(dy, w),
    () => matmul(asMatrix(dy), asMatrix(x), { transA: true }),
    () => sumOverRows(dy),
  ],
  half: true,
  implement: {
    ort: {
      expand: ([x, w, b]) => {
        const y = matmul(x, w, { transB: true });
        return b ? add(y, b) : y;
      },
    },
    // One kernel for product and sum. It takes the weight as it lies in its file, which MatMul would have to be copied for.
    onnx: {
      lower: (out, [x, w, b], { shapes: [rows, weight], node: { shape } }) => {
        const flat = rows.length === 2 ? x : emitReshape(out, x, [], [product(rows.slice(0, -1)), weight[1]]);
        const y = out.node("Gemm", b ? [flat, w, b] : [flat, w], { transB: 1 });
        return rows.length === 2 ? y : emitReshape(out, y, [], shape);
      },
    },
  },
  arithmetic: ([, w], y) => 2 * sizeOf(y) * w[1],
});

const sumOverRows = (x: Node): Node =>
  sum(
    x,
    x.shape.slice(0, -1).map((_, i) => i),
  );

/** x·Wᵀ + b with PyTorch's weight [out, in]. x: [..., in] → [..., out]. */
export const linear = (x: Node, weight: Node, bias?: Node): Node =>
  linearOp(bias ? [x, weight, bias] : [x, weight], {});

/** Returns a slice of a linear layer's channels, as a layer with some of the weight's rows. */
export function narrowed({ inputs: [layer], attrs }: Node): Node {
  const [x, weight, bias] = layer.inputs;
  const { from, to, step } = attrs as Record<string, number>;
  const cut = (rows: Node): Node => slice(rows, 0, from, to, step);
  return linear(x, cut(weight), bias && cut(bias));
}

/** Numbers of the dtypes in the ONNX standard. */
const [FLOAT, UINT8, INT8] = [1, 2, 3];
/** Added to numbers of −127 to 127, since onnxruntime's products of unsigned and signed bytes are the fast ones. */
const ZERO = 128;

/** Writes max |x| / 127 over the last axis, or NaN if it holds one. keep: the axis stays, with length 1. */
function emitScale(out: Emitter, x: string, keep: boolean): string {
  const over = (op: string, of: string): string => out.node(op, [of, out.ints([-1])], { keepdims: keep ? 1 : 0 });
  // onnxruntime's ReduceMax passes over NaN, and NaN as a byte would be some number.
  const nothing = out.node("Mul", [over("ReduceSum", x), out.floats(Float32Array.of(0), [])]);
  const largest = out.node("Add", [over("ReduceMax", out.node("Abs", [x])), nothing]);
  // A row of zeros would be divided by 0.
  const positive = out.node("Max", [largest, out.floats(Float32Array.of(1e-30), [])]);
  return out.node("Mul", [positive, out.floats(Float32Array.of(1 / 127), [])]);
}

/** Writes a target's product of bytes: q of uint8 around `zero`, w of int8, and a scale for each column of w. */
type ByteProduct = (out: Emitter, q: string, w: string, scale: string, zero: string) => string;

/**
 * Writes x·Wᵀ + b with rounded x and W. Each row of x and each row of W has a scale of its own, so rows of x do not depend on
 * each other. W is rounded when the program is loaded, if it is no input.
 */
const emitInt8 =
  (product: ByteProduct): Lower<Record<string, never>> =>
  (out, [x, w, b]) => {
    const one = out.floats(Float32Array.of(1), []);
    const zero = out.node("Cast", [out.ints([ZERO])], { to: UINT8 });
    const rowScale = emitScale(out, x, true);
    const q = out.node("QuantizeLinear", [out.node("Div", [x, rowScale]), one, zero]);
    const scale = emitScale(out, w, false);
    const rounded = out.node("QuantizeLinear", [w, scale], { axis: 0, output_dtype: INT8 });
    const y = product(out, q, out.node("Transpose", [rounded], { perm: [1, 0] }), scale, zero);
    const scaled = out.node("Mul", [y, rowScale]);
    return b ? out.node("Add", [scaled, b]) : scaled;
  };

const linearInt8Op = defineOp<Record<string, never>>("linearInt8", {
  shape: layerShape,
  gradient: () => {
    throw new GraphError("a linear layer in 8 bits has no gradient: it is constant between its steps");
  },
  implement: {
    ort: {
      lower: emitInt8((out, q, w, scale, zero) => {
        const one = out.floats(Float32Array.of(1), []);
        return out.node("MatMulIntegerToFloat", [q, w, one, scale, zero], {}, "com.microsoft");
      }),
    },
    onnx: {
      lower: emitInt8((out, q, w, scale, zero) => {
        const sums = out.node("MatMulInteger", [q, w, zero]);
        return out.node("Mul", [out.node("Cast", [sums], { to: FLOAT }), scale]);
      }),
    },
  },
  // The absolute or scaled input, its bytes, and the result before it is scaled.
  memory: { workspace: ([x], y) => [sizeOf(x), sizeOf(x) / 4, sizeOf(y)] },
  arithmetic: ([, w], y) => 2 * sizeOf(y) * w[1],
});

/**
 * `linear` with input and weight rounded to 8 bits, each row by its largest number: about three times as fast on a CPU, with an
 * error of about 1 %. It has no gradient.
 */
export const linearInt8 = (x: Node, weight: Node, bias?: Node): Node =>
  linearInt8Op(bias ? [x, weight, bias] : [x, weight], {});

/** True for a linear layer over rows of a picture or a text. One over a row of numbers, as the time's, would gain nothing. */
const isWide = ({ op, inputs: [x] }: Node): boolean => op.name === "linear" && x.shape.length > 2;

/** Returns a linear layer in 8 bits instead, or the node itself if it is none that would gain. mayRound: of its weight. */
export const inInt8 = (node: Node, mayRound: (weight: Node) => boolean): Node =>
  isWide(node) && mayRound(node.inputs[1]) ? linearInt8Op(node.inputs, {}) : node;
