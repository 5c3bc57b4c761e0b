import { z } from "zod";
import { checkArguments, oneOf } from "../../core/index.ts";
import { aModelPlace, type ModelPlace, openPlace, webPlatform } from "../../diffusion/web/index.ts";
import { webDevices } from "../../runtime/web/index.ts";
import { openCheckpoint } from "../../weights/index.ts";
import { checkpointMemory, type ModelMemory, type ModelMemoryOptions, modelMemoryFields } from "../modelMemory.ts";

const memoryArguments = z.object({
  place: aModelPlace,
  options: z.strictObject({ ...modelMemoryFields, device: oneOf(webDevices).optional() }),
});

/**
 * Estimates the memory that an edit with a model takes, before it is loaded: reads configurations and headers, and no weight. With
 * the device "cpu" it is WebAssembly's, which has at most 4 GB; the device "webgpu" has a memory of its own, of which
 * onnxruntime may take somewhat more. place: as `loadModel` takes it. Throws CheckpointError, StorageError, UsageError.
 */
export async function modelMemory(place: ModelPlace, options: ModelMemoryOptions = {}): Promise<ModelMemory> {
  checkArguments("modelMemory", memoryArguments, { place, options });
  const { prediction, variant } = options;
  const { folder } = await openPlace(place, { keep: false });
  const checkpoint = await openCheckpoint(folder, { prediction, variant });
  return checkpointMemory(checkpoint, webPlatform(), options, false);
}
