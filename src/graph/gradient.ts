import { GraphError, shapeText } from "../core/index.ts";
import { constant, type Node } from "./operation.ts";
import { add, concat } from "./ops/index.ts";
import { inOrder } from "./order.ts";
import { count, sameShape } from "./shape.ts";

/** The nodes that `gradients` has returned. */
const made = new WeakSet<Node>();

/** Tells if one of the outputs is computed from the result of `gradients`. */
export const usesGradients = (outputs: readonly Node[]): boolean => inOrder(outputs).some((node) => made.has(node));

/**
 * Builds the gradients of `value` with respect to `wrt` as more graph (reverse mode). Only nodes between `wrt` and `value`
 * are differentiated.
 *
 * seed: dL/dvalue, of the same shape as `value`. Default 1, for a `value` that is a single number.
 * Throws GraphError if `value` does not depend on one of `wrt`.
 */
export function gradients<const W extends readonly Node[]>(
  value: Node,
  wrt: W,
  seed?: Node,
): { -readonly [K in keyof W]: Node };
export function gradients(value: Node, wrt: readonly Node[], seed?: Node): Node[] {
  if (!seed && count(value.shape) !== 1) {
    throw new GraphError("the gradient of more than one number needs a seed", { found: shapeText(value.shape) });
  }
  if (seed && !sameShape(seed.shape, value.shape)) {
    throw new GraphError("the seed has another shape than the value", {
      found: shapeText(seed.shape),
      expected: shapeText(value.shape),
    });
  }
  const order = inOrder([value]);
  const depends = new Set<Node>(wrt);
  for (const node of order) if (node.inputs.some((x) => depends.has(x))) depends.add(node);

  const collected = new Map<Node, Node[]>([[value, [seed ?? ones(value)]]]);
  const total = (node: Node): Node | undefined => {
    return collected.get(node)?.reduce(addGradients);
  };
  for (const node of order.toReversed()) {
    if (wrt.includes(node) || !depends.has(node)) continue;
    const dy = total(node);
    if (!dy) continue;
    const rules = node.op.gradient(dy, { inputs: node.inputs, output: node, attrs: node.attrs });
    node.inputs.forEach((x, i) => {
      if (!depends.has(x)) return;
      const rule = rules[i];
      if (!rule) return; // only the shape of this input matters
      const dx = rule();
      if (!sameShape(dx.shape, x.shape)) {
        throw new GraphError("the gradient has another shape than its value", {
          where: `${node.op.name}, input ${i}`,
          found: shapeText(dx.shape),
          expected: shapeText(x.shape),
        });
      }
      collected.set(x, [...(collected.get(x) ?? []), dx]);
    });
  }
  return wrt.map((x, i) => {
    const dx = total(x);
    if (!dx)
      throw new GraphError("the value does not depend on this node", {
        where: `gradient ${i}`,
        found: shapeText(x.shape),
      });
    made.add(dx);
    return dx;
  });
}

/**
 * a + b. If both are padded with zeros and meet, as the gradients of two adjacent slices of one value do, they are joined
 * instead.
 */
function addGradients(a: Node, b: Node): Node {
  const [x, y] = a.op.name === "pad" && a.attrs.before === 0 ? [a, b] : [b, a];
  const meet =
    x.op.name === "pad" &&
    y.op.name === "pad" &&
    x.attrs.axis === y.attrs.axis &&
    x.attrs.before === 0 &&
    y.attrs.after === 0 &&
    y.attrs.before === x.inputs[0].shape[x.attrs.axis as number];
  return meet ? concat([x.inputs[0], y.inputs[0]], x.attrs.axis as number) : add(a, b);
}

const ones = (x: Node): Node => constant(Float32Array.of(1), x.shape as number[]);
