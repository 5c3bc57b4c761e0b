import { nodePlatform } from "../../../diffusion/node/index.ts";
import { findModel, openLocal } from "../../../storage/node/index.ts";
import { editMemory } from "../../../tasks/index.ts";
import { openCheckpoint } from "../../../weights/index.ts";
import { checkpointFacts } from "../../modelFacts.ts";
import { examplePrompts } from "./examples.ts";
import type { ModelFacts, NamedModel } from "./messages.ts";

/** Reads the facts of a model from its files. Throws CheckpointError if there is no such model or if it is broken. */
export async function factsOf({ name, load }: NamedModel): Promise<ModelFacts> {
  const { path, variant, prediction } = await findModel(load);
  const checkpoint = await openCheckpoint(await openLocal(path), { variant, prediction });
  const { judge } = checkpoint.editing;
  const examples = examplePrompts(load);
  return {
    name,
    ...(await checkpointFacts(checkpoint, nodePlatform)),
    memory: (await editMemory(checkpoint, nodePlatform)).memory,
    ...(examples && { examples: [...examples] }),
    ...(judge !== undefined && { judge }),
  };
}
