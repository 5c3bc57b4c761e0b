import { GraphError, shapeText, sizeOf } from "../../core/index.ts";
import {
  constant,
  defineOp,
  type Gradient,
  type Implementation,
  type Node,
  scalar,
  type Traits,
} from "../operation.ts";
import { fixed, isSymbolic, type Shape, sameShape, withBatch } from "../shape.ts";
import { add, broadcastLike, mul, neg, reshape, sub, sum } from "./arithmetic.ts";
import { cast } from "./cast.ts";
import { after, concat, slice, transpose } from "./layout.ts";
import { matmul } from "./linear.ts";

const softmaxOp = defineOp<Record<string, never>>("softmax", {
  shape: ([x]) => x,
  gradient: (dy, { output: p }) => [() => mul(p, sub(dy, sum(mul(dy, p), [-1], true)))],
  implement: { lower: (out, [x]) => out.node("Softmax", [x], { axis: -1 }) },
  memory: { inPlace: true },
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

/** [B, heads, D, L] → [B, L, heads·D] */
const joinColumns = (x: Node): Node => {
  const [batch, heads, depth, length] = x.shape;
  return reshape(transpose(x, [0, 3, 1, 2]), [batch, length, (heads as number) * (depth as number)]);
};

/** [L, L]: 0 if j ≤ i, so that query i sees key j; else so low that softmax gives 0. */
const causalMask = (length: number): Node =>
  constant(
    Float32Array.from({ length: length * length }, (_, k) => (k % length > Math.floor(k / length) ? -1e30 : 0)),
    [length, length],
  );

/**
 * softmax(q·kᵀ/√d + mask): [B, heads, L, D] and [B, heads, M, D] → [B, heads, L, M]. The mask and the softmax are float32
 * if q is float16: WebGPU's kernel would add up a row in float16.
 */
function probabilities(q: Node, k: Node, mask: Node | undefined): Node {
  const scores = cast(matmul(q, k, { transB: true, alpha: 1 / Math.sqrt(fixed(q.shape, 3)) }), "float32");
  return cast(softmax(mask ? add(scores, mask) : scores), q.dtype);
}

/** Attention maps: q [B, L, C], k [B, M, C] → [B, heads, L, M]. */
export const attentionMaps = (q: Node, k: Node, heads: number): Node =>
  probabilities(split(q, heads), split(k, heads), undefined);

/** Applies attention maps to values: maps [B, heads, L, M], v [B, M, C] → [B, L, C]. */
export const attend = (maps: Node, v: Node): Node => join(matmul(maps, split(v, fixed(maps.shape, 1))));

/** Largest piece of the maps that the gradient recomputes at a time. It stays in a CPU's cache. Bytes. */
const PIECE = 8 * 2 ** 20;
/** Fewest queries of a piece. With fewer, matrix products lose more than the cache gains. */
const FEWEST_QUERIES = 128;

function attended([q, k, v]: readonly Shape[], { heads, causal }: Heads): Shape {
  const fits = q.length === 3 && q[2] === k[2] && sameShape(k.slice(0, 2), v.slice(0, 2)) && q[0] === k[0];
  if (!fits || fixed(q, 2) % heads || fixed(v, 2) % heads || (causal && q[1] !== k[1])) {
    throw new GraphError("query, key and value do not fit", {
      found: `${[q, k, v].map(shapeText).join(", ")}, ${heads} heads`,
    });
  }
  return [q[0], q[1], v[2]];
}

const attentionGradient: Gradient<Heads> = (dy, { inputs: [q, k, v], output, attrs }) => {
  const all = lazily(() => backward(dy, q, k, v, output, attrs));
  return [() => all().dq, () => all().dk, () => all().dv];
};

/** onnxruntime's kernel for attention. */
const fused: Implementation<Heads> = {
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
};

/** Attention by onnxruntime's kernel on a device whose kernel was found to be right. */
const fusedOp = defineOp<Heads>("fusedAttention", {
  shape: attended,
  half: true,
  implement: fused,
  gradient: attentionGradient,
});

const attentionOp = defineOp<Heads>("attention", {
  shape: attended,
  half: true,
  implement: {
    ort: fused,
    onnx: {
      // WebGPU's kernel takes no causal mask.
      expand: ([q, k, v], attrs, traits) =>
        traits.fusedAttention && !attrs.causal ? fusedOp([q, k, v], attrs) : inPieces(q, k, v, attrs, traits),
    },
  },
  gradient: attentionGradient,
  // Copies of query, key and value with the heads first. With a mask also the mask, whole maps and a copy of the output.
  memory: {
    workspace: ([q, k, v], y, { heads, causal }) => {
      const mask = q[0] * q[1] * k[1];
      return [q, k, v].map(sizeOf).concat(causal ? [mask, mask * heads, sizeOf(y)] : []);
    },
  },
  arithmetic: ([q, k, v]) => 2 * q[0] * q[1] * k[1] * (q[2] + v[2]),
});

/** Returns the batch size, or 1 if it is not known. */
const batchSize = (q: Shape): number => (isSymbolic(q[0]) ? 1 : q[0]);

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

/** Splits 0..total into ranges of at most `most`, whose lengths differ by at most one. */
function ranges(total: number, most: number): [number, number][] {
  const count = Math.ceil(total / most);
  const at = (i: number) => Math.round((i * total) / count);
  return Array.from({ length: count }, (_, i) => [at(i), at(i + 1)]);
}

/** Returns the number of heads and queries whose maps take at most `bytes`. queryBytes: bytes of one query's map in one head. */
function pieceOf(bytes: number, queryBytes: number, length: number): { headsAtOnce: number; queriesAtOnce: number } {
  const headsAtOnce = Math.max(1, Math.floor(bytes / (queryBytes * length)));
  return {
    headsAtOnce,
    queriesAtOnce: headsAtOnce > 1 ? length : Math.max(FEWEST_QUERIES, Math.floor(bytes / queryBytes)),
  };
}

/**
 * Attention in plain operations, some heads or some queries of one head at a time, so that no piece of the maps has more bytes
 * than the device's buffers.
 */
function inPieces(q: Node, k: Node, v: Node, { heads, causal }: Heads, { buffer, rows }: Traits): Node {
  const [query, key, value] = [q, k, v].map((x) => split(x, heads));
  const length = fixed(q.shape, 1);
  const mask = causal ? causalMask(length) : undefined;
  const [batch] = withBatch(q.shape, rows);
  const { headsAtOnce, queriesAtOnce } = pieceOf(buffer, 4 * fixed(k.shape, 1) * batch, length);
  let before: Node[] = [];
  const outputs = ranges(heads, headsAtOnce).map(([head, headEnd]) => {
    const [qh, kh, vh] = [query, key, value].map((x) => slice(x, 1, head, headEnd));
    const pieces = ranges(length, queriesAtOnce).map(([first, end]) => {
      // One piece after the other, so that the maps of only one piece exist at a time.
      const qi = after(slice(qh, 2, first, end), ...before);
      const piece = matmul(probabilities(qi, kh, mask && slice(mask, 0, first, end)), vh);
      before = [piece];
      return piece;
    });
    return concat(pieces, 2);
  });
  return join(concat(outputs, 1));
}

/**
 * Gradients of attention with the maps recomputed: dV = Pᵀ·dO, dS = P∘(dO·Vᵀ − D), D = rowsum(dO∘O), dQ = dS·K/√d,
 * dK = dSᵀ·Q/√d. Dao et al. 2022 ("FlashAttention"), appendix B. Some heads, or
 * some queries of one head, at a time.
 */
function backward(dy: Node, q: Node, k: Node, v: Node, output: Node, { heads, causal }: Heads) {
  const [query, key, value, grad, out] = [q, k, v, dy, output].map((x) => split(x, heads));
  const [length, keys] = [fixed(q.shape, 1), fixed(k.shape, 1)];
  const alpha = 1 / Math.sqrt(fixed(query.shape, 3));
  const mask = causal ? causalMask(length) : undefined;
  // dO·Vᵀ − D as one product, [dO, −D]·[V, 1]ᵀ, saves a pass over the map.
  const gradRest = concat([grad, neg(sum(mul(grad, out), [3], true))], 3);
  const valueOne = concat([value, broadcastLike(scalar(1), slice(value, 3, 0, 1))], 3);

  const { headsAtOnce, queriesAtOnce } = pieceOf(PIECE, 4 * keys * batchSize(q.shape), length);
  const gradients: { dq: Node; dk: Node; dv: Node }[] = [];
  let before: Node[] = [];
  for (const [head, headEnd] of ranges(heads, headsAtOnce)) {
    const ofHeads = (x: Node) => slice(x, 1, head, headEnd);
    const [ki, vi] = [key, valueOne].map(ofHeads);
    const dq: Node[] = [];
    let [dk, dv]: (Node | undefined)[] = [];
    for (const [first, end] of ranges(length, queriesAtOnce)) {
      const cut = (x: Node) => slice(ofHeads(x), 2, first, end);
      const gi = cut(grad);
      // One piece after the other, so that the maps of only one piece exist at a time.
      const qi = after(cut(query), ...before);
      const p = probabilities(qi, ki, mask && slice(mask, 0, first, end));
      // Transposed, with the narrow matrix on the left. Pᵀ·dO and dSᵀ·Q are slower: they copy the columns of the maps.
      const dvT = matmul(gi, p, { transA: true });
      dv = dv ? add(dv, dvT) : dvT;
      const ds = mul(p, matmul(after(cut(gradRest), dv), vi, { transB: true }));
      const dkT = matmul(qi, ds, { transA: true, alpha });
      dk = dk ? add(dk, dkT) : dkT;
      dq.push(matmul(ds, ki, { alpha }));
      before = [dk, dq.at(-1)!];
    }
    gradients.push({ dq: concat(dq, 2), dk: dk!, dv: dv! });
  }
  const whole = (name: "dq" | "dk" | "dv") =>
    concat(
      gradients.map((x) => x[name]),
      1,
    );
  return { dq: join(whole("dq")), dk: joinColumns(whole("dk")), dv: joinColumns(whole("dv")) };
}
