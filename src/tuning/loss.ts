import type { Tensor } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";
import * as g from "../graph/index.ts";
import { timeShape, timestepSinusoids, type UNetConfig, unet } from "../models/index.ts";
import type { Examples } from "./examples.ts";

/** Names and values of the inputs that `noiseLoss` reads besides the text embedding. */
export const exampleFeeds = (config: UNetConfig, { timesteps, noisy, wanted }: Examples): Record<string, Tensor> => ({
  sample: noisy,
  time: timestepSinusoids(config, timesteps),
  wanted,
});

/**
 * Builds the loss of the noise prediction over a batch of examples: mean((f(z_t, t, c) − wanted)²). context: the text
 * embedding c of all examples, [1, L, D].
 */
export function noiseLoss(
  model: Pick<Model, "latentShape" | "unet">,
  size: Size,
  batch: number,
  context: g.Node,
): g.Node {
  const [, ...latent] = model.latentShape(size);
  const inputs = {
    sample: g.input("sample", [batch, ...latent]),
    time: g.input("time", timeShape(model.unet, batch)),
    context: batch === 1 ? context : g.concat(Array<g.Node>(batch).fill(context), 0),
  };
  return g.meanSquare(g.sub(unet(model.unet, inputs), g.input("wanted", [batch, ...latent])));
}
