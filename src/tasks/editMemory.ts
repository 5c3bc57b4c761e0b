import type { Size, Warning } from "../core/index.ts";
import { type DryRun, type DryRunPlace, dryRun, type Model, type Platform } from "../diffusion/index.ts";
import { edit, type Method, methods, planPreparation, prepare } from "../editing/index.ts";
import type { Checkpoint } from "../weights/index.ts";

/** The memory that an edit takes, in bytes. */
export interface EditMemory extends Pick<DryRun, "memory" | "deviceMemory" | "largestBuffer"> {
  /** Size of the picture. */
  readonly size: Size;
  /** Facts about the model's files that its user should know. */
  readonly warnings: readonly Warning[];
}

export interface EditMemoryOptions {
  /** Default: the model's own. */
  readonly size?: Size;
  /** Default: the default method, which tunes an embedding and needs gradients. */
  readonly method?: Method;
  /** Default: on a CPU that maps files. */
  readonly on?: DryRunPlace;
}

/**
 * Estimates the memory of an edit from its graphs. Computes nothing and reads no weight. Throws
 * CheckpointError if the model is broken, UsageError if it cannot make pictures of the size.
 */
export async function editMemory(
  checkpoint: Checkpoint,
  platform: Platform,
  { size: asked, method = methods()[0], on }: EditMemoryOptions = {},
): Promise<EditMemory> {
  const warnings: Warning[] = [];
  let size = checkpoint.editing.size;
  const { memory, deviceMemory, largestBuffer } = await dryRun(
    checkpoint,
    platform,
    async (model) => {
      warnings.push(...model.warnings);
      size = model.workingSize(asked);
      await heaviestEdit(method, model, size);
    },
    { on },
  );
  return { memory, deviceMemory, largestBuffer, size, warnings };
}

/** Runs one step of every part of an edit, with the options that need the most memory. */
async function heaviestEdit(method: Method, model: Model, size: Size): Promise<void> {
  const { heaviest = { prepare: {}, edit: {} } } = method;
  const black = { ...size, data: new Uint8Array(3 * size.height * size.width) };
  const noHash = "0".repeat(64);
  const input = { target: "a picture", options: { ...heaviest.prepare, steps: 1 } };
  const plan = planPreparation(method, model, black, input, { model: noHash, picture: noHash });
  await edit(method, model, await prepare(method, model, black, plan), heaviest.edit);
}
