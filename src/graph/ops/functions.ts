import { defineOp, type Emitter, type Implementation, type MemoryUse, type Node } from "../operation.ts";
import { add, div, mul, neg, sub, sum } from "./arithmetic.ts";

// Elementwise functions of one value.

type None = Record<string, never>;
type Implementations = Implementation<None> | { ort: Implementation<None>; onnx: Implementation<None> };

const onnx = (op: string): Implementation<None> => ({ lower: (out, inputs) => out.node(op, inputs) });

/** The functions whose results stay within float16's range and precision. */
const halves = ["relu", "tanh", "sigmoid", "silu", "quickGelu", "gelu"];

/** Defines y = f(x), elementwise. gradient: dL/dx. */
function unary(
  name: string,
  implement: Implementations,
  gradient: (dy: Node, x: Node, y: Node) => Node,
  memory?: MemoryUse<None>,
) {
  const make = defineOp<None>(name, {
    shape: ([x]) => x,
    gradient: (dy, { inputs: [x], output }) => [() => gradient(dy, x, output)],
    half: halves.includes(name),
    implement,
    memory,
  });
  return (x: Node): Node => make([x], {});
}

export const exp: (x: Node) => Node = unary("exp", onnx("Exp"), (dy, _, y) => mul(dy, y));
export const log: (x: Node) => Node = unary("log", onnx("Log"), (dy, x) => div(dy, x));
export const sqrt: (x: Node) => Node = unary("sqrt", onnx("Sqrt"), (dy, _, y) => div(dy, mul(2, y)));
export const sin: (x: Node) => Node = unary("sin", onnx("Sin"), (dy, x) => mul(dy, cos(x)));
export const cos: (x: Node) => Node = unary("cos", onnx("Cos"), (dy, x) => neg(mul(dy, sin(x))));
/** 1 if x > 0, else 0. */
export const step: (x: Node) => Node = unary(
  "step",
  { lower: (out, [x]) => out.node("Cast", [out.node("Greater", [x, out.floats(Float32Array.of(0), [])])], { to: 1 }) },
  (dy) => mul(dy, 0),
);
/** max(x, 0) */
export const relu: (x: Node) => Node = unary("relu", onnx("Relu"), (dy, x) => mul(dy, step(x)), { inPlace: true });
export const tanh: (x: Node) => Node = unary("tanh", onnx("Tanh"), (dy, _, y) => mul(dy, sub(1, mul(y, y))), {
  inPlace: true,
});
export const erf: (x: Node) => Node = unary("erf", onnx("Erf"), (dy, x) =>
  mul(dy, mul(2 / Math.sqrt(Math.PI), exp(neg(mul(x, x))))),
);
/** σ(x) = 1/(1 + e⁻ˣ) */
export const sigmoid: (x: Node) => Node = unary("sigmoid", onnx("Sigmoid"), (dy, _, y) => mul(dy, mul(y, sub(1, y))), {
  inPlace: true,
});

/** Gradient of y = x·σ(a·x): dy·(σ + a·(y − y·σ)). */
const swishGradient = (a: number) => (dy: Node, x: Node, y: Node) => {
  const s = sigmoid(a === 1 ? x : mul(a, x));
  const rest = sub(y, mul(y, s));
  return mul(dy, add(s, a === 1 ? rest : mul(a, rest)));
};
const swish = (a: number): Implementations => ({
  ort: { lower: (out: Emitter, [x]) => out.node("QuickGelu", [x], { alpha: { float: a } }, "com.microsoft") },
  onnx: { expand: ([x]) => mul(x, sigmoid(mul(a, x))) },
});

/** x·σ(x) */
export const silu: (x: Node) => Node = unary("silu", swish(1), swishGradient(1));
/** x·σ(1.702·x), CLIP's approximation of GELU. */
export const quickGelu: (x: Node) => Node = unary("quickGelu", swish(1.702), swishGradient(1.702));
/** x·Φ(x), with the exact error function. */
export const gelu: (x: Node) => Node = unary("gelu", onnx("Gelu"), (dy, x) => {
  const distribution = mul(0.5, add(1, erf(mul(x, Math.SQRT1_2))));
  const density = mul(1 / Math.sqrt(2 * Math.PI), exp(mul(-0.5, mul(x, x))));
  return mul(dy, add(distribution, mul(x, density)));
});
/** |x|, with gradient 0 at 0. */
export const abs = (x: Node): Node => add(relu(x), relu(neg(x)));

/** x² */
export const square = (x: Node): Node => mul(x, x);
/** x/‖x‖₂ along the last axis. */
export const normalise = (x: Node): Node => div(x, sqrt(sum(square(x), [-1], true)));
