import type { Warning } from "../core/index.ts";
import { dryRun, type Model, type Platform } from "../diffusion/index.ts";
import { edit, methods, planPreparation, prepare } from "../editing/index.ts";
import type { Checkpoint } from "../weights/index.ts";

/**
 * Estimates the bytes of memory of an edit by the default method at the model's size, from its graphs. Computes nothing and reads
 * no weight. Also returns the model's warnings. Throws CheckpointError if the model is broken.
 */
export async function editMemory(
  checkpoint: Checkpoint,
  platform: Platform,
): Promise<{ memory: number; warnings: readonly Warning[] }> {
  const warnings: Warning[] = [];
  const { memory } = await dryRun(checkpoint, platform, async (model) => {
    warnings.push(...model.warnings);
    await heaviestEdit(model);
  });
  return { memory, warnings };
}

/** Runs one step of every part of an edit by the default method, with the options that need the most memory. */
async function heaviestEdit(model: Model): Promise<void> {
  const [method] = methods();
  const { heaviest = { prepare: {}, edit: {} } } = method;
  const { size } = model.editing;
  const black = { ...size, data: new Uint8Array(3 * size.height * size.width) };
  const noHash = "0".repeat(64);
  const input = { target: "a picture", options: { ...heaviest.prepare, steps: 1 } };
  const plan = planPreparation(method, model, black, input, { model: noHash, picture: noHash });
  await edit(method, model, await prepare(method, model, black, plan), heaviest.edit);
}
