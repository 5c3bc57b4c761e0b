import * as g from "../graph/index.ts";
import { constant, type Node } from "../graph/index.ts";
import { conv2d } from "./layers.ts";
import { Scope } from "./scope.ts";

/** A layer of a torchvision network. fire: SqueezeNet's module: squeezes to so many channels, then expands to eight times as many. */
type Layer =
  | { readonly conv: number; readonly kernel: number; readonly stride?: number; readonly pad?: number }
  | { readonly fire: number }
  | { readonly pool: number; readonly ceil?: boolean }
  | "relu";

/** A network whose features LPIPS compares: torchvision's `features` in their order, which is also their number. */
export interface LpipsConfig {
  readonly features: readonly Layer[];
  /** Numbers of the layers whose outputs are compared. */
  readonly taps: readonly number[];
  /** Shortest side of a picture in pixels that reaches the last of them. */
  readonly smallest: number;
}

const conv3 = (channels: number): readonly Layer[] => [{ conv: channels, kernel: 3, pad: 1 }, "relu"];

/** The three networks of LPIPS v0.1: AlexNet, VGG-16 and SqueezeNet 1.1. */
export const lpipsNets = {
  alex: {
    features: [
      { conv: 64, kernel: 11, stride: 4, pad: 2 },
      "relu",
      { pool: 3 },
      { conv: 192, kernel: 5, pad: 2 },
      "relu",
      { pool: 3 },
      ...[384, 256, 256].flatMap(conv3),
    ],
    taps: [1, 4, 7, 9, 11],
    smallest: 31,
  },
  vgg16: {
    features: [
      ...[64, 64].flatMap(conv3),
      { pool: 2 },
      ...[128, 128].flatMap(conv3),
      { pool: 2 },
      ...[256, 256, 256].flatMap(conv3),
      { pool: 2 },
      ...[512, 512, 512].flatMap(conv3),
      { pool: 2 },
      ...[512, 512, 512].flatMap(conv3),
    ],
    taps: [3, 8, 15, 22, 29],
    smallest: 16,
  },
  squeeze: {
    features: [
      { conv: 64, kernel: 3, stride: 2 },
      "relu",
      { pool: 3, ceil: true },
      { fire: 16 },
      { fire: 16 },
      { pool: 3, ceil: true },
      { fire: 32 },
      { fire: 32 },
      { pool: 3, ceil: true },
      { fire: 48 },
      { fire: 48 },
      { fire: 64 },
      { fire: 64 },
    ],
    taps: [1, 4, 7, 9, 10, 11, 12],
    smallest: 17,
  },
} as const satisfies Record<string, LpipsConfig>;

export type LpipsNet = keyof typeof lpipsNets;

/**
 * LPIPS v0.1 of two pictures, a single number. Zhang et al. 2018, eq. 1. pixels: [2, 3, H, W] in −1..1. Weights of the network
 * have torchvision's keys, those of the comparison the keys of the `lpips` package: "lin0.model.1.weight".
 */
export function lpips({ features, taps }: LpipsConfig, pixels: Node, weights = new Scope()): Node {
  const distances: Node[] = [];
  let x = scaled(pixels);
  for (const [i, layer] of features.entries()) {
    x = applied(layer, weights.at("features").at(i), x);
    if (taps.includes(i)) distances.push(layerDistance(weights.at(`lin${distances.length}`).at("model").at(1), x));
  }
  return distances.reduce(g.add);
}

/** Normalises channels as ImageNet's classifiers expect them, for pixels in −1..1. */
function scaled(pixels: Node): Node {
  const perChannel = (values: readonly number[]): Node => constant(Float32Array.from(values), [1, 3, 1, 1]);
  return g.div(g.sub(pixels, perChannel([-0.03, -0.088, -0.188])), perChannel([0.458, 0.448, 0.45]));
}

function applied(layer: Layer, w: Scope, x: Node): Node {
  if (layer === "relu") return g.relu(x);
  if ("pool" in layer) return g.maxPool(x, { kernel: layer.pool, stride: 2, ceil: layer.ceil });
  if ("fire" in layer) {
    const squeezed = g.relu(conv2d(w.at("squeeze"), x, layer.fire, { kernel: 1 }));
    const expanded = [1, 3].map((k) => conv2d(w.at(`expand${k}x${k}`), squeezed, 4 * layer.fire, { kernel: k }));
    return g.relu(g.concat(expanded, 1));
  }
  const { conv, kernel, stride = 1, pad = 0 } = layer;
  return conv2d(w, x, conv, { kernel, stride, pads: [pad, pad, pad, pad] });
}

/** Σ_c w_c·mean over pixels of (f̂₀ − f̂₁)², with f̂ = f/(‖f‖₂ + 1e-10) along the channels. features: [2, C, h, w] → []. */
function layerDistance(w: Scope, features: Node): Node {
  const length = g.sqrt(g.sum(g.square(features), [1], true));
  const unit = g.div(features, g.add(length, 1e-10));
  const apart = g.square(g.sub(g.slice(unit, 0, 0, 1), g.slice(unit, 0, 1, 2)));
  const weight = w.tensor("weight", [1, features.shape[1] as number, 1, 1]);
  return g.sum(g.mul(weight, g.mean(apart, [2, 3], true)));
}
