import type { Work } from "../core/index.ts";
import { checkpointHash, type Platform } from "../diffusion/index.ts";
import { methods, schemaOf } from "../editing/index.ts";
import type { Checkpoint, EditingDefaults } from "../weights/index.ts";
import type { ModelDescription } from "./api/index.ts";

/** What a checkpoint's files say of a model. */
export type CheckpointFacts = Pick<ModelDescription, "sha256" | "size" | "defaults" | "knownWords">;

/** Reads what a checkpoint's files say of a model. Reads all of them, for their hash. Throws CheckpointError, CancelledError. */
export async function checkpointFacts(
  checkpoint: Checkpoint,
  platform: Pick<Platform, "merges">,
  work: Work = {},
): Promise<CheckpointFacts> {
  const { editing, knownWords } = checkpoint;
  const { height, width } = editing.size;
  return {
    sha256: await checkpointHash(checkpoint, platform, work),
    size: { width, height },
    defaults: defaultsOf(editing),
    ...(knownWords && { knownWords: [...knownWords.words].sort() }),
  };
}

/** Returns the model's own values of the options of each method. */
function defaultsOf({ steps, guidance, methods: own }: EditingDefaults): ModelDescription["defaults"] {
  const of = (method: ReturnType<typeof methods>[number]): Record<string, unknown> => {
    const names = { ...schemaOf(method, "prepare").shape, ...schemaOf(method, "edit").shape };
    const common = Object.entries({ steps, guidance }).filter(([name]) => name in names);
    return { ...Object.fromEntries(common), ...own[method.name]?.prepare, ...own[method.name]?.edit };
  };
  return Object.fromEntries(methods().map((method) => [method.name, of(method)]));
}
