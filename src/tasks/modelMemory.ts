import type { z } from "zod";
import { aSize, oneOf, type Size, someText } from "../core/index.ts";
import type { DryRunPlace, Platform } from "../diffusion/index.ts";
import { methodNamed } from "../editing/index.ts";
import { precisions } from "../runtime/index.ts";
import { type Checkpoint, type OpenOptions, predictions } from "../weights/index.ts";
import { type EditMemory, editMemory } from "./editMemory.ts";

export interface ModelMemoryOptions extends OpenOptions, Pick<DryRunPlace, "device" | "precision"> {
  /** Size of the picture. Default: the model's own. */
  readonly size?: Size;
  /** Name of the method. Default "baret", which tunes an embedding. Methods that tune nothing take much less. */
  readonly method?: string;
}

/** The memory that an edit takes, in bytes. */
export type ModelMemory = EditMemory;

/** Fields of the options, except the device. */
export const modelMemoryFields = {
  precision: oneOf(precisions).optional(),
  size: aSize.optional(),
  method: someText.optional(),
  prediction: oneOf(predictions).optional(),
  variant: someText.optional(),
} satisfies z.core.$ZodLooseShape;

/** Estimates the memory of an edit with a checkpoint that is open. Throws as `modelMemory`. */
export const checkpointMemory = (
  checkpoint: Checkpoint,
  platform: Platform,
  { size, method, device, precision }: ModelMemoryOptions,
  sharesWeights: boolean,
): Promise<ModelMemory> =>
  editMemory(checkpoint, platform, {
    size,
    ...(method !== undefined && { method: methodNamed(method) }),
    on: { device, precision, sharesWeights },
  });
