import { z } from "zod";
import { checkArguments, oneOf, someText } from "../../core/index.ts";
import { findCheckpoint, nodePlatform } from "../../diffusion/node/index.ts";
import { devices } from "../../runtime/index.ts";
import { checkpointMemory, type ModelMemory, type ModelMemoryOptions, modelMemoryFields } from "../modelMemory.ts";

const memoryArguments = z.object({
  name: someText,
  options: z.strictObject({ ...modelMemoryFields, device: oneOf(devices).optional() }),
});

/**
 * Estimates the memory that an edit with a model takes, before it is loaded: reads configurations and headers, and no weight. A
 * device other than a CPU has a memory of its own; onnxruntime may take somewhat more of it. name: as `loadModel` takes it. Throws
 * CheckpointError, UsageError.
 */
export async function modelMemory(name: string, options: ModelMemoryOptions = {}): Promise<ModelMemory> {
  checkArguments("modelMemory", memoryArguments, { name, options });
  const { checkpoint } = await findCheckpoint(name, options);
  return checkpointMemory(checkpoint, nodePlatform, options, true);
}
