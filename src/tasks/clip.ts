import { CheckpointError, type Work } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { Clip } from "../metrics/index.ts";

/**
 * Loads the CLIP model of a name or folder, or else the model's judge. Returns undefined if the model has no judge
 * here. Throws CheckpointError if the named one is missing or broken.
 */
export async function openClip(model: Model, named?: string, work: Work = {}): Promise<Clip | undefined> {
  const name = named ?? model.editing.judge;
  if (name === undefined) return undefined;
  const found = await model.platform.openModel(name).catch((error: unknown) => {
    if (named === undefined && error instanceof CheckpointError) return undefined;
    throw error;
  });
  return found && Clip.load(model.engine, found, { ...work, merges: model.platform.merges });
}
