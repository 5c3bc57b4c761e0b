import { make, type Node } from "./operation.ts";

/** Returns all nodes that `outputs` need, each after its inputs. Iterative, because graphs are deep. */
export function inOrder(outputs: readonly Node[]): Node[] {
  const order: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  const stack = [...outputs].reverse();
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    if (state.get(node) === undefined) {
      state.set(node, "open");
      for (let i = node.inputs.length - 1; i >= 0; i--) if (!state.has(node.inputs[i])) stack.push(node.inputs[i]);
    } else {
      stack.pop();
      if (state.get(node) === "open") {
        state.set(node, "done");
        order.push(node);
      }
    }
  }
  return order;
}

/** `node` with other inputs, or `node` itself if they are the same. */
export const rebuilt = (node: Node, inputs: readonly Node[]): Node =>
  inputs.every((x, i) => x === node.inputs[i]) ? node : make(node.op, inputs, node.attrs);

/** Rewrites a graph: calls `rule` with every node and its already rewritten inputs, and puts the result in its place. */
export function rewrite(outputs: readonly Node[], rule: (node: Node, inputs: readonly Node[]) => Node): Node[] {
  const made = new Map<Node, Node>();
  for (const node of inOrder(outputs)) {
    made.set(
      node,
      rule(
        node,
        node.inputs.map((x) => made.get(x)!),
      ),
    );
  }
  return outputs.map((x) => made.get(x)!);
}
