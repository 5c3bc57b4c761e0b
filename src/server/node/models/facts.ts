import { checkpointHash } from "../../../diffusion/index.ts";
import { nodePlatform } from "../../../diffusion/node/index.ts";
import { methods, schemaOf } from "../../../editing/index.ts";
import { findModel, openLocal } from "../../../storage/node/index.ts";
import { editMemory } from "../../../tasks/index.ts";
import { type EditingDefaults, openCheckpoint } from "../../../weights/index.ts";
import { examplePrompts } from "./examples.ts";
import type { ModelFacts, NamedModel } from "./messages.ts";

/** Reads the facts of a model from its files. Throws CheckpointError if there is no such model or if it is broken. */
export async function factsOf({ name, load }: NamedModel): Promise<ModelFacts> {
  const { path, variant, prediction } = await findModel(load);
  const checkpoint = await openCheckpoint(await openLocal(path), { variant, prediction });
  const { editing, knownWords } = checkpoint;
  const { height, width } = editing.size;
  const examples = examplePrompts(load);
  return {
    name,
    sha256: await checkpointHash(checkpoint, nodePlatform),
    size: { width, height },
    defaults: defaultsOf(editing),
    memory: (await editMemory(checkpoint, nodePlatform)).memory,
    ...(knownWords && { knownWords: [...knownWords.words].sort() }),
    ...(examples && { examples: [...examples] }),
    ...(editing.judge !== undefined && { judge: editing.judge }),
  };
}

/** Returns the model's own values of the options of each method. */
function defaultsOf({ steps, guidance, methods: own }: EditingDefaults): ModelFacts["defaults"] {
  const of = (method: ReturnType<typeof methods>[number]): Record<string, unknown> => {
    const names = { ...schemaOf(method, "prepare").shape, ...schemaOf(method, "edit").shape };
    const common = Object.entries({ steps, guidance }).filter(([name]) => name in names);
    return { ...Object.fromEntries(common), ...own[method.name]?.prepare, ...own[method.name]?.edit };
  };
  return Object.fromEntries(methods().map((method) => [method.name, of(method)]));
}
