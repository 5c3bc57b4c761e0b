import type { Tensor } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";
import * as g from "../graph/index.ts";
import { positionShape, timeShape, timestepSinusoids, type UNetConfig, unet } from "../models/index.ts";
import type { Examples } from "./examples.ts";

export interface LossOptions {
  /** Examples have grids of positions. Default: false. */
  readonly positions?: boolean;
  /** Weight of the loss of the clean latent. Default: 0. */
  readonly cleanLoss?: number;
}

/** Names and values of the inputs that `noiseLoss` reads besides the text embedding. */
export const exampleFeeds = (
  config: UNetConfig,
  { timesteps, noisy, wanted, positions, cleanFactors }: Examples,
  { cleanLoss = 0 }: LossOptions = {},
): Record<string, Tensor> => ({
  sample: noisy,
  time: timestepSinusoids(config, timesteps),
  wanted,
  ...(positions && { positions }),
  ...(cleanLoss > 0 && cleanFactors && { cleanFactors }),
});

/**
 * Builds the loss of the noise prediction over a batch of examples: mean((f(z_t, t, c) − wanted)²). context: the text
 * embedding c of all examples, [1, L, D]. With `cleanLoss` λ it adds λ·(t/T)²·mean|ẑ − z|, where ẑ is the clean latent that
 * the prediction gives.
 */
export function noiseLoss(
  model: Pick<Model, "latentShape" | "unet">,
  size: Size,
  batch: number,
  context: g.Node,
  { positions = false, cleanLoss = 0 }: LossOptions = {},
): g.Node {
  const [, ...latent] = model.latentShape(size);
  const [, height, width] = latent;
  const inputs = {
    sample: g.input("sample", [batch, ...latent]),
    time: g.input("time", timeShape(model.unet, batch)),
    context: batch === 1 ? context : g.concat(Array<g.Node>(batch).fill(context), 0),
    ...(positions && {
      position: g.input("positions", [batch, ...positionShape(model.unet, { height, width }).slice(1)]),
    }),
  };
  const error = g.sub(unet(model.unet, inputs), g.input("wanted", [batch, ...latent]));
  const loss = g.meanSquare(error);
  if (cleanLoss === 0) return loss;
  const factors = g.input("cleanFactors", [batch, 1, 1, 1]);
  return g.add(loss, g.mul(g.mean(g.mul(g.abs(error), factors)), cleanLoss));
}
