import { GraphError } from "../../core/index.ts";
import { constant, defineOp, type Node } from "../node.ts";
import { fixed, isSymbolic, type Shape, sameShape, show } from "../shape.ts";
import { add, mul, neg, reshape, sub, sum } from "./arithmetic.ts";
import { after, concat, slice, transpose } from "./layout.ts";
import { matmul } from "./linear.ts";

const softmaxOp = defineOp<Record<string, never>>("softmax", {
  shape: ([x]) => x,
  gradient: (dy, { output: p }) => [() => mul(p, sub(dy, sum(mul(dy, p), [-1], true)))],
  implement: { lower: (out, [x]) => out.node("Softmax", [x], { axis: -1 }) },
});
/** Softmax along the last axis. */
export const softmax = (x: Node): Node => softmaxOp([x], {});

type Heads = { heads: number; causal: boolean };

/** [B, L, C] → [B, heads, L, C/heads] */
const split = (x: Node, heads: number): Node => {
  const [batch, length] = x.shape;
  return transpose(reshape(x, [batch, length, heads, fixed(x.shape, 2) / heads]), [0, 2, 1, 3]);
};
/** [B, heads, L, D] → [B, L, heads·D] */
const join = (x: Node): Node => {
  const [batch, heads, length, depth] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, length, (heads as number) * (depth as number)]);
};

/** 0 where query i may see key j ≤ i, else a number that no softmax survives. */
const causalMask = (length: number): Node =>
  constant(
    Float32Array.from({ length: length * length }, (_, k) => (k % length > Math.floor(k / length) ? -1e30 : 0)),
    [length, length],
  );

/** softmax(q·kᵀ/√d): [B, heads, L, D] and [B, heads, M, D] → [B, heads, L, M]. */
function probabilities(q: Node, k: Node, causal: boolean): Node {
  const scores = matmul(q, k, { transB: true, alpha: 1 / Math.sqrt(fixed(q.shape, 3)) });
  return softmax(causal ? add(scores, causalMask(fixed(q.shape, 2))) : scores);
}

/** Attention maps: q [B, L, C], k [B, M, C] → [B, heads, L, M]. */
export const attentionMaps = (q: Node, k: Node, heads: number): Node =>
  probabilities(split(q, heads), split(k, heads), false);

/** What given maps make of the values: maps [B, heads, L, M], v [B, M, C] → [B, L, C]. */
export const attend = (maps: Node, v: Node): Node => join(matmul(maps, split(v, fixed(maps.shape, 1))));

/** Maps of one step above this size are recomputed a few heads at a time, so that they never exist all at once. Bytes. */
const MAPS_AT_ONCE = 64 * 2 ** 20;

const attentionOp = defineOp<Heads>("attention", {
  shape: ([q, k, v], { heads, causal }) => {
    const fits = q.length === 3 && q[2] === k[2] && sameShape(k.slice(0, 2), v.slice(0, 2)) && q[0] === k[0];
    if (!fits || fixed(q, 2) % heads || fixed(v, 2) % heads || (causal && q[1] !== k[1])) {
      throw new GraphError("query, key and value do not fit", {
        found: `${[q, k, v].map(show).join(", ")}, ${heads} heads`,
      });
    }
    return [q[0], q[1], v[2]];
  },
  implement: {
    ort: {
      lower: (out, inputs, { attrs: { heads, causal }, shapes: [q] }) =>
        out.node(
          "MultiHeadAttention",
          inputs,
          {
            num_heads: heads,
            scale: { float: 1 / Math.sqrt(fixed(q, 2) / heads) },
            ...(causal ? { unidirectional: 1 } : {}),
          },
          "com.microsoft",
        ),
    },
    onnx: {
      expand: ([q, k, v], { heads, causal }) =>
        join(matmul(probabilities(split(q, heads), split(k, heads), causal), split(v, heads))),
    },
  },
  gradient: (dy, { inputs: [q, k, v], output, attrs }) => {
    const parts = lazily(() => backward(dy, q, k, v, output, attrs));
    return [() => parts().dq, () => parts().dk, () => parts().dv];
  },
  flops: ([q, k, v]) => ({
    kind: "attention",
    count: 2 * rows(q) * fixed(q, 1) * fixed(k, 1) * (fixed(q, 2) + fixed(v, 2)),
  }),
});

const rows = (q: Shape): number => (isSymbolic(q[0]) ? 1 : q[0]);

/** Multi-head attention. q: [B, L, C], k: [B, M, C], v: [B, M, C'] → [B, L, C']. */
export const attention = (
  q: Node,
  k: Node,
  v: Node,
  { heads, causal = false }: { heads: number; causal?: boolean },
): Node => attentionOp([q, k, v], { heads, causal });

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/**
 * Gradients of attention with the maps recomputed: dV = Pᵀ·dO, dS = P∘(dO·Vᵀ − rowsum(dO∘O)), dQ = dS·K/√d,
 * dK = dSᵀ·Q/√d. Dao et al. 2022 ("FlashAttention"), appendix B.
 */
function backward(dy: Node, q: Node, k: Node, v: Node, output: Node, { heads, causal }: Heads) {
  const [query, key, value, grad, out] = [q, k, v, dy, output].map((x) => split(x, heads));
  const rowSums = neg(sum(mul(grad, out), [3], true));
  const alpha = 1 / Math.sqrt(fixed(query.shape, 3));

  const mapBytes = 4 * fixed(q.shape, 1) * fixed(k.shape, 1) * (isSymbolic(q.shape[0]) ? 1 : q.shape[0]);
  const most = Math.max(1, Math.floor(MAPS_AT_ONCE / mapBytes));
  const pieces = isSymbolic(q.shape[0]) ? 1 : Math.ceil(heads / most);
  const bounds = Array.from({ length: pieces + 1 }, (_, i) => Math.round((i * heads) / pieces));

  const dq: Node[] = [];
  const dk: Node[] = [];
  const dv: Node[] = [];
  for (let i = 0; i < pieces; i++) {
    const cut = (x: Node) => slice(x, 1, bounds[i], bounds[i + 1]);
    const [qi, ki, vi, gi] = [query, key, value, grad].map(cut);
    const wait = pieces > 1 ? after(qi, i === 0 ? dy : dk[i - 1]) : qi;
    const p = probabilities(wait, ki, causal);
    const ds = mul(p, add(matmul(gi, vi, { transB: true }), cut(rowSums)));
    dv.push(matmul(p, gi, { transA: true }));
    dq.push(matmul(ds, ki, { alpha }));
    dk.push(matmul(ds, qi, { transA: true, alpha }));
  }
  const [a, b, c] = [dq, dk, dv].map((part) => join(concat(part, 1)));
  return { dq: a, dk: b, dv: c };
}
