import type { Picture, Size, Tensor } from "../../../core/index.ts";
import type { Model } from "../../../diffusion/index.ts";
import { type GridBox, positionGrid, positionWeight } from "../../../models/index.ts";
import { drawBoxes, patchOf, type View } from "../../../tuning/index.ts";
import { memorySource, type WeightSet } from "../../../weights/index.ts";
import type { TrainingSettings } from "../../tunePhoto.ts";

/** Views of the photo that the model is tuned on, and what the tuned U-Net needs beside its weights. */
export interface Patches {
  /** Size of a patch. */
  readonly size: Size;
  /** Returns the patches of training step k. */
  readonly views: (k: number) => Promise<View[]>;
  /** The grid of positions that sampling adds, as a weight of the tuned U-Net. */
  readonly grid: WeightSet;
}

/**
 * Patch-based tuning (paper, §4.3): an example is a random box of the larger photo, resized to the model's own size. The U-Net
 * also gets the box of the grid of positions, which has a cell for each pixel of the larger photo's latent. To sample a
 * picture it gets the whole grid, so the picture may have another size than the patches.
 */
export function patchesOf(
  model: Model,
  picture: Size,
  larger: Picture,
  { trainingBatch: batch, trainingSeed: seed }: TrainingSettings,
  signal?: AbortSignal,
): Patches {
  const size = model.workingSize();
  const grid = latentSize(model, larger);
  const placed = (box: GridBox, of: Size) => positionGrid(model.unet, box, latentSize(model, of));
  return {
    size,
    views: async (k) => {
      const views: View[] = [];
      for (const box of drawBoxes({ grid, batch, seed }, k)) {
        const latent = await model.encode(patchOf(larger, box, model.factor, size), signal);
        views.push({ latent, position: placed(box, size) });
      }
      return views;
    },
    grid: setOf(placed({ left: 0, top: 0, ...grid }, picture)),
  };
}

function latentSize(model: Model, size: Size): Size {
  const [, , height, width] = model.latentShape(size);
  return { height, width };
}

/** Returns a grid of positions as the only weight of a set. */
function setOf({ shape, data }: Tensor): WeightSet {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const source = memorySource("grid of positions", bytes);
  return new Map([
    [positionWeight, { name: positionWeight, dtype: "F32", shape, source, offset: 0, length: bytes.length }],
  ]);
}
