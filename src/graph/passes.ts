import { GraphError, LARGEST_HALF, listed, shapeText } from "../core/index.ts";
import {
  type Attributes,
  constant,
  type DType,
  type Implementation,
  isConstant,
  isInput,
  isParameter,
  make,
  type Node,
  nameOf,
  type Target,
  type Traits,
} from "./operation.ts";
import { cast, flipped, inInt8, isFlippable, narrowed, roundedToHalf } from "./ops/index.ts";
import { inOrder, rebuilt, rewrite } from "./order.ts";
import { count, fixed, type Shape, sameShape } from "./shape.ts";

/** Returns the ONNX form of `node` for `target`. */
export function implementation(node: Node, target: Target): Implementation<Attributes> {
  const { implement } = node.op;
  return "ort" in implement ? implement[target] : implement;
}

/** Replaces operations that the target has no kernel for by other operations, until none is left. */
export function expand(outputs: readonly Node[], target: Target, traits: Traits): Node[] {
  let changed = true;
  let current = [...outputs];
  while (changed) {
    changed = false;
    current = rewrite(current, (node, inputs) => {
      const how = implementation(node, target);
      if (!("expand" in how)) return rebuilt(node, inputs);
      changed = true;
      return how.expand(inputs, node.attrs, traits);
    });
  }
  return current;
}

/**
 * Computes gradients of convolutions to their inputs with flipped kernels, as long as the copies of the kernels take at
 * most `bytes`. Layers with the most pixels come first: there a kernel does the most work for its size.
 *
 * mayFlip: whether a weight is known when the program is loaded, which is when kernels are flipped.
 */
export function flipKernels(outputs: readonly Node[], bytes: number, mayFlip: (weight: Node) => boolean): Node[] {
  const pixels = (node: Node): number => fixed(node.shape, 2) * fixed(node.shape, 3);
  const candidates = inOrder(outputs)
    .filter((node) => isFlippable(node) && mayFlip(node.inputs[1]))
    .sort((a, b) => pixels(b) - pixels(a));
  const chosen = new Set<Node>();
  let left = bytes;
  for (const { inputs } of candidates) {
    const size = 4 * count(inputs[1].shape);
    if (chosen.has(inputs[1]) || size > left) continue;
    chosen.add(inputs[1]);
    left -= size;
  }
  return rewrite(outputs, (node, inputs) => {
    const now = rebuilt(node, inputs);
    return isFlippable(now) && chosen.has(now.inputs[1]) ? flipped(now) : now;
  });
}

/**
 * Computes the slices of a linear layer's channels by layers of their own, so that the whole value never exists: GEGLU's is the
 * largest of a U-Net.
 *
 * mayCut: whether a weight is mapped, so that some of its rows are no copy.
 */
export function narrowLinear(outputs: readonly Node[], mayCut: (weight: Node) => boolean): Node[] {
  const whole = new Set<Node>(outputs);
  for (const { op, inputs, attrs } of inOrder(outputs))
    for (const x of inputs) if (op.name !== "slice" || attrs.axis !== x.shape.length - 1) whole.add(x);
  return rewrite(outputs, (node, inputs) => {
    const [layer] = node.inputs;
    const isCut =
      node.op.name === "slice" && layer.op.name === "linear" && !whole.has(layer) && mayCut(layer.inputs[1]);
    return isCut ? narrowed(rebuilt(node, inputs)) : rebuilt(node, inputs);
  });
}

/** Computes linear layers in 8 bits: see `linearInt8`. mayRound: whether a weight is mapped, so that it is rounded once. */
export const roundLinear = (outputs: readonly Node[], mayRound: (weight: Node) => boolean): Node[] =>
  rewrite(outputs, (node, inputs) => inInt8(rebuilt(node, inputs), mayRound));

/** Returns a value as float16 or float32. A constant is converted here, a weight when the program is loaded. */
const as = (dtype: "float16" | "float32", x: Node): Node =>
  isConstant(x) && x.dtype === "float32"
    ? constant(x.attrs.values as Float32Array, x.shape as number[], dtype)
    : cast(x, dtype);

/**
 * Computes a graph in float16, but for the operations that need more range or precision: sums, means, norms and softmax.
 * Inputs and outputs stay float32.
 */
export function inHalf(outputs: readonly Node[]): Node[] {
  const halved = rewrite(outputs, (node, inputs) => {
    // Rows of a weight, or a weight of another shape, are converted by what reads them, so that they can be mapped.
    if (inputs.length === 0 || viewOf(node)) return rebuilt(node, inputs);
    return rebuilt(
      node,
      inputs.map((x) => as(node.op.half ? "float16" : "float32", x)),
    );
  });
  return halved.map((x) => cast(x, "float32"));
}

/**
 * Computes a graph with values in float16 in float32 instead, and rounds every such value to float16. For a device without
 * kernels for float16: onnxruntime would compute several operations after each other in float32 and round the last result alone,
 * so that numbers beyond the range of float16 would pass.
 */
export function roundHalf(outputs: readonly Node[]): Node[] {
  return rewrite(outputs, (node, inputs) => {
    const { op, dtype, attrs } = node;
    if (dtype !== "float16") return op.name === "cast" ? inputs[0] : rebuilt(node, inputs);
    if (isConstant(node)) {
      // Beyond the range its largest numbers, as in `constant`.
      const values = (attrs.values as Float32Array).map((x) => Math.max(-LARGEST_HALF, Math.min(LARGEST_HALF, x)));
      return roundedToHalf(constant(values, node.shape as number[]));
    }
    return roundedToHalf(op.name === "cast" ? inputs[0] : make(op, inputs, attrs));
  });
}

/** A weight, or some rows of it, or a weight of another shape, in any dtype: bytes of the weight that need no operation. */
export interface View {
  readonly weight: Node;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Index of its first number in the weight. */
  readonly from: number;
}

/** Returns a value as view of a weight. Undefined for any other value. */
export function viewOf({ op, inputs: [x], attrs, shape, dtype }: Node): View | undefined {
  if (!x) return undefined;
  if (op.name === "cast") {
    // A weight that is rounded to float16 is no view.
    if (x.op.name === "cast") return undefined;
    const view = isParameter(x) ? { weight: x, from: 0 } : viewOf(x);
    return view && { ...view, shape, dtype };
  }
  if (!isParameter(x)) return undefined;
  if (op.name === "reshape") return { weight: x, shape, dtype, from: 0 };
  const { axis, from, step } = attrs;
  if (op.name !== "slice" || axis !== 0 || step !== 1) return undefined;
  return { weight: x, shape, dtype, from: (from as number) * count(shape.slice(1)) };
}

/** Longest constants whose numbers are compared. Comparing longer ones costs more than a duplicate. */
const COMPARED = 64;

/** Returns the bits of numbers, which tell NaN, −0 and the infinities apart. JSON does not. */
const bitsOf = (values: Float32Array): number[] => [...new Uint32Array(values.slice().buffer)];

/** Merges nodes that compute the same value from the same inputs. */
export function shareEqual(outputs: readonly Node[]): Node[] {
  const numbers = new Map<unknown, number>();
  const number = (x: unknown): number => {
    if (!numbers.has(x)) numbers.set(x, numbers.size);
    return numbers.get(x)!;
  };
  const known = new Map<string, Node>();
  return rewrite(outputs, (node, inputs) => {
    const attrs = JSON.stringify(node.attrs, (_, value) =>
      value instanceof Float32Array ? (value.length > COMPARED ? { at: number(value) } : { is: bitsOf(value) }) : value,
    );
    const key = `${node.op.name}|${inputs.map(number).join(",")}|${attrs}`;
    const same = known.get(key) ?? rebuilt(node, inputs);
    known.set(key, same);
    return same;
  });
}

/**
 * Checks that every shape and dtype follows from the rule of its operation, and that a name stands for one value only.
 * Throws one GraphError that lists every problem. Runs between the stages of compilation.
 */
export function verify(outputs: Readonly<Record<string, Node>>): void {
  const problems: string[] = [];
  const named = new Map<string, Node>();
  for (const node of inOrder(Object.values(outputs))) {
    const label = `${node.op.name}(${node.inputs.map((x) => shapeText(x.shape)).join(", ")})`;
    try {
      const { shape, dtype } = make(node.op, node.inputs, node.attrs);
      if (!sameShape(shape, node.shape))
        problems.push(`${label}: shape ${shapeText(node.shape)}, expected ${shapeText(shape)}`);
      if (dtype !== node.dtype) problems.push(`${label}: dtype ${node.dtype}, expected ${dtype}`);
    } catch (error) {
      problems.push(error instanceof GraphError ? error.message : String(error));
    }
    if (isInput(node) || isParameter(node)) {
      const other = named.get(nameOf(node));
      if (
        other &&
        (other.op.name !== node.op.name || !sameShape(other.shape, node.shape) || other.dtype !== node.dtype)
      ) {
        problems.push(`"${nameOf(node)}" names both ${shapeText(other.shape)} and ${shapeText(node.shape)}`);
      }
      named.set(nameOf(node), node);
    }
  }
  for (const name of Object.keys(outputs))
    if (named.has(name)) problems.push(`"${name}" is both an input and an output`);
  if (problems.length > 0) throw new GraphError(`the graph is invalid\n${listed(problems)}`);
}

/**
 * Returns the weights that a graph reads, by their keys in the checkpoint. Throws GraphError if two nodes stand for one weight.
 */
export function parametersOf(outputs: readonly Node[]): Map<string, Node> {
  const found = new Map<string, Node>();
  for (const node of inOrder(outputs).filter(isParameter)) {
    if (found.has(nameOf(node))) throw new GraphError("a weight is in the graph twice", { where: nameOf(node) });
    found.set(nameOf(node), node);
  }
  return found;
}
