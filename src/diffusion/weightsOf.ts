import { sizeOf } from "../core/index.ts";
import type { LoadOptions } from "../runtime/index.ts";
import { type Checkpoint, isFloatDtype, type TensorRef } from "../weights/index.ts";
import type { Part } from "./programs.ts";

/** Below this many bytes of float32 a private, repacked copy of the weights costs nothing that matters, and runs fastest. */
const smallModel = 400e6;

export const weightsOf = ({ unet, vae, textEncoder }: Checkpoint): Record<Part, ReadonlyMap<string, TensorRef>> => ({
  unet: unet.weights,
  vae: vae.weights,
  text: textEncoder.weights,
});

/** Whether a part's weights must stay shared with their file: as float32, in whatever dtype they lie on disk. */
export function isLarge(checkpoint: Checkpoint, part: Part): boolean {
  const weights = [...weightsOf(checkpoint)[part].values()].filter(({ dtype }) => isFloatDtype(dtype));
  return weights.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0) > smallModel;
}

/** How a part's programs are loaded. */
export const loadOptionsOf = (checkpoint: Checkpoint, part: Part): LoadOptions =>
  isLarge(checkpoint, part) ? {} : { level: "all", prepack: true };
