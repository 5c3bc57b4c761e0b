import { GraphError, shapeText } from "../../core/index.ts";
import { defineOp, type Node } from "../operation.ts";
import { divide, fixed, product, type Shape } from "../shape.ts";
import { add, broadcastLike, div, mean, mul, reshape, sub, sum } from "./arithmetic.ts";
import { emitReshape } from "./emit.ts";
import { sqrt, square } from "./functions.ts";

const affine = ([x, weight, bias]: readonly Shape[], channels: number | undefined): Shape => {
  if (weight.length !== 1 || bias.length !== 1 || weight[0] !== channels || bias[0] !== channels) {
    throw new GraphError("scale and shift do not fit", {
      found: `${shapeText(x)}, ${shapeText(weight)}, ${shapeText(bias)}`,
    });
  }
  return x;
};

type Groups = { groups: number; eps: number };

/** Mean and 1/√(variance + ε) over each group. x: [B, C, H, W] → [B, G, 1]. The variance is the centred one. */
function groupStatistics(x: Node, { groups, eps }: Groups): { mu: Node; inverse: Node; grouped: Shape } {
  const grouped: Shape = [x.shape[0], groups, divide(product(x.shape.slice(1)), groups)];
  const flat = reshape(x, grouped);
  const mu = mean(flat, [2], true);
  return { mu, inverse: div(1, sqrt(add(mean(square(sub(flat, mu)), [2], true), eps))), grouped };
}

const perChannel = (x: Node, values: Node): Node => reshape(values, [values.shape[0], x.shape[1], 1, 1]);

const groupNormOp = defineOp<Groups>("groupNorm", {
  shape: (shapes, { groups }) => {
    if (fixed(shapes[0], 1) % groups)
      throw new GraphError("channels do not divide into groups", {
        found: `${shapeText(shapes[0])} in ${groups} groups`,
      });
    return affine(shapes, fixed(shapes[0], 1));
  },
  implement: {
    // y = A·x + B per channel, with A = γ/σ and B = β − μ·A: two passes over the picture instead of four.
    ort: {
      expand: ([x, weight, bias], attrs) => {
        const { mu, inverse } = groupStatistics(x, attrs);
        const scale = mul(inverse, channelsOf(weight, attrs));
        const shift = sub(channelsOf(bias, attrs), mul(mu, scale));
        return add(mul(x, perChannel(x, scale)), perChannel(x, shift));
      },
    },
    // Each group is a channel of an instance normalisation: 4 dispatches on WebGPU instead of 11.
    onnx: {
      lower: (out, [x, weight, bias], { attrs: { groups, eps }, node: { shape } }) => {
        const grouped = emitReshape(out, x, shape, [shape[0], groups, divide(product(shape.slice(1)), groups)]);
        const every = (value: number) => out.floats(new Float32Array(groups).fill(value), [groups]);
        const normal = out.node("InstanceNormalization", [grouped, every(1), every(0)], { epsilon: { float: eps } });
        const channels = [fixed(shape, 1), 1, 1];
        const [gamma, beta] = [weight, bias].map((values) => out.node("Reshape", [values, out.ints(channels)]));
        return out.node("Add", [out.node("Mul", [emitReshape(out, normal, [shape[0]], shape), gamma]), beta]);
      },
    },
  },
  gradient: (dy, { inputs: [x, weight], attrs }) => {
    const { mu, inverse } = groupStatistics(x, attrs);
    const [batch, , height, width] = x.shape;
    const channels = fixed(x.shape, 1);
    const each = channels / attrs.groups;
    const n = fixed(x.shape, 2) * fixed(x.shape, 3) * each;
    const overPixels = (v: Node) =>
      reshape(sum(reshape(v, [batch, channels, product([height, width])]), [2]), [batch, attrs.groups, each]);
    const total = overPixels(dy); //            Σ dy, per channel
    const product1 = overPixels(mul(dy, x)); // Σ dy·x
    const normalised = () => mul(sub(product1, mul(mu, total)), inverse); // Σ dy·x̂
    return [
      () => {
        // dx = (γ·dy − mean(γ·dy) − x̂·mean(γ·dy·x̂))/σ, written as P·dy + Q·x + R: P per channel, Q and R per group.
        const gamma = channelsOf(weight, attrs);
        const meanGrad = mul(sum(mul(total, gamma), [2], true), 1 / n);
        const meanGradX = mul(sum(mul(normalised(), gamma), [2], true), 1 / n);
        const p = mul(inverse, gamma);
        const q = mul(mul(mul(inverse, inverse), meanGradX), -1);
        const r = sub(mul(mul(q, mu), -1), mul(inverse, meanGrad));
        return add(
          add(mul(dy, perChannel(x, p)), mul(x, perChannel(x, broadcastLike(q, p)))),
          perChannel(x, broadcastLike(r, p)),
        );
      },
      () => reshape(sum(normalised(), [0]), [channels]),
      () => reshape(sum(total, [0]), [channels]),
    ];
  },
});

const channelsOf = (v: Node, { groups }: Groups): Node => reshape(v, [1, groups, fixed(v.shape, 0) / groups]);

/** Group normalisation with scale and shift per channel. x: [B, C, H, W]; weight, bias: [C]. */
export const groupNorm = (x: Node, weight: Node, bias: Node, groups: number, eps: number): Node =>
  groupNormOp([x, weight, bias], { groups, eps });

const layerNormOp = defineOp<{ eps: number }>("layerNorm", {
  shape: (shapes) => affine(shapes, fixed(shapes[0], -1)),
  implement: {
    lower: (out, inputs, { attrs: { eps } }) =>
      out.node("LayerNormalization", inputs, { axis: -1, epsilon: { float: eps } }),
  },
  gradient: (dy, { inputs: [x, weight], attrs: { eps } }) => {
    const centred = sub(x, mean(x, [-1], true));
    const inverse = div(1, sqrt(add(mean(square(centred), [-1], true), eps)));
    const normal = mul(centred, inverse);
    const lead = x.shape.slice(0, -1).map((_, i) => i);
    return [
      () => {
        const g = mul(dy, weight);
        const along = mul(normal, mean(mul(g, normal), [-1], true));
        return mul(sub(sub(g, mean(g, [-1], true)), along), inverse);
      },
      () => sum(mul(dy, normal), lead),
      () => sum(dy, lead),
    ];
  },
});
/** Layer normalisation over the last axis. x: [..., C]; weight, bias: [C]. */
export const layerNorm = (x: Node, weight: Node, bias: Node, eps: number): Node =>
  layerNormOp([x, weight, bias], { eps });
