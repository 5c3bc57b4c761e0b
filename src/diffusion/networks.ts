import { sizeOf } from "../core/index.ts";
import type { LoadOptions } from "../runtime/index.ts";
import { type Checkpoint, isFloatDtype, type TensorRef } from "../weights/index.ts";

/** The networks of a checkpoint. */
export type Network = "unet" | "vae" | "text";

/** Below this many bytes of float32, a private, repacked copy of the weights costs little memory and runs fastest. */
const smallNetwork = 400e6;

/** Returns the weights of each network, by diffusers' names. */
export const weightsOf = ({ unet, vae, textEncoder }: Checkpoint): Record<Network, ReadonlyMap<string, TensorRef>> => ({
  unet: unet.weights,
  vae: vae.weights,
  text: textEncoder.weights,
});

/** True if a network's weights must be mapped from their file, since a copy as float32 would take too much memory. */
export function isLarge(checkpoint: Checkpoint, network: Network): boolean {
  const weights = [...weightsOf(checkpoint)[network].values()].filter(({ dtype }) => isFloatDtype(dtype));
  return weights.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0) > smallNetwork;
}

/** Options for loading a network's programs. */
export const loadOptionsOf = (checkpoint: Checkpoint, network: Network): LoadOptions =>
  isLarge(checkpoint, network) ? {} : { level: "all", prepack: true };
