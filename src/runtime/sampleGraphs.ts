/** Small graphs with fixed random weights, to try a device with. */
import { Random, type Tensor, tensor } from "../core/index.ts";
import * as g from "../graph/index.ts";
import type { Feeds } from "./engine.ts";
import { networkPiece } from "./networkPiece.ts";

/** A small graph with values for its inputs. */
export interface SampleGraph {
  readonly name: string;
  readonly outputs: () => Record<string, g.Node>;
  readonly feeds: Feeds;
}

/** Numbers of the standard normal distribution, times `scale` (default 1). */
export function normal(seed: number, shape: readonly number[], scale = 1): Tensor {
  const random = new Random(seed);
  const made = tensor(shape);
  for (let i = 0; i < made.data.length; i++) made.data[i] = scale * random.normal();
  return made;
}

/** Makes weights [out, in, ...] as constants: the same ones in every graph, so that devices can be compared. */
export function fixedWeights(): (shape: readonly number[]) => g.Node {
  let seed = 100;
  return (shape) => {
    const fan = shape.slice(1).reduce((a, b) => a * b, 1);
    return g.constant(normal(seed++, shape, 1 / Math.sqrt(fan)).data, shape);
  };
}

export const ones = (n: number): g.Node => g.constant(new Float32Array(n).fill(1), [n]);
export const zeros = (n: number): g.Node => g.constant(new Float32Array(n), [n]);

const size = { rows: 2, channels: 128, groups: 32, heads: 8, tokens: 77, height: 32, width: 32 } as const;
const shape = [size.rows, size.channels, size.height, size.width];

/** A piece of a U-Net: two residual blocks with attention over 1024 places each, of a batch of two. */
export const pieceOfUNet: SampleGraph = {
  name: "piece of a U-Net",
  outputs: () => ({ y: networkPiece(g.input("x", shape), fixedWeights(), size, 2) }),
  feeds: { x: normal(4, shape) },
};
