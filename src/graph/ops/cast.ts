import { type DType, defineOp, type Node } from "../operation.ts";

/** Numbers of the dtypes in the ONNX standard. */
const numbers = { float32: 1, float16: 10 } as const;

const castOp = defineOp<{ to: keyof typeof numbers }>("cast", {
  shape: ([x]) => x,
  dtype: ({ to }) => to,
  gradient: (dy, { inputs: [x] }) => [() => cast(dy, x.dtype)],
  implement: { lower: (out, [x], { attrs: { to } }) => out.node("Cast", [x], { to: numbers[to] }) },
});

/** x rounded to the nearest float16, as float32. */
export const roundedToHalf = (x: Node): Node => castOp([castOp([x], { to: "float16" })], { to: "float32" });

/** x in another dtype. From float16 and back is x itself. Whole numbers stay what they are. */
export function cast(x: Node, to: DType): Node {
  if (x.dtype === to || to === "int64" || x.dtype === "int64") return x;
  const [before] = x.op.name === "cast" ? x.inputs : [];
  return before?.dtype === to ? before : castOp([x], { to });
}
