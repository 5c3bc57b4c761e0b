import { GraphError, shapeText, sizeOf } from "../../core/index.ts";
import { defineOp, type Node } from "../operation.ts";
import { broadcast, product, type Shape, withBatch } from "../shape.ts";
import { add, reshape, sumTo } from "./arithmetic.ts";

type Transposes = { transA: boolean; transB: boolean; alpha: number };

const lengths = ([a, b]: readonly Shape[], { transA, transB }: Transposes) => {
  const [m, k] = transA ? [a.at(-1), a.at(-2)] : [a.at(-2), a.at(-1)];
  const [k2, n] = transB ? [b.at(-1), b.at(-2)] : [b.at(-2), b.at(-1)];
  return { m, n, k, k2 };
};

/** Number of elements for a batch of one. */
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
        return out.node("MatMul", [
          attrs.transA ? swapped(a, shapes[0]) : a,
          attrs.transB ? swapped(b, shapes[1]) : b,
        ]);
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

/** x·Wᵀ + b with PyTorch's weight [out, in]. x: [..., in] → [..., out]. */
export function linear(x: Node, weight: Node, bias?: Node): Node {
  const y = matmul(x, weight, { transB: true });
  return bias ? add(y, bias) : y;
}
