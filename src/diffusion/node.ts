import { z } from "zod";
import { checkArguments, isA, oneOf, sharedWork, someText, type Work, whole, workFields } from "../core/index.ts";
import { devices, type Engine, type EngineOptions } from "../runtime/index.ts";
import { loadGraph, type MappedWeights, mapWeights, mostThreads, startEngine } from "../runtime/node.ts";
import type { Cache } from "../storage/index.ts";
import { DiskCache, findModel, hashFile, openLocal, openPackageFile, sha256 } from "../storage/node.ts";
import { CLIP_MERGES, loadTokenizer } from "../text/index.ts";
import { type ByteSource, type Checkpoint, type OpenOptions, openCheckpoint, predictions } from "../weights/index.ts";
import { Model, textLength } from "./model.ts";
import type { Part, ProgramLoader } from "./programs.ts";
import { isLarge, loadOptionsOf, weightsOf } from "./weightsOf.ts";

export { peakMemory } from "./dryRun.ts";

export interface LoadModelOptions extends OpenOptions, Omit<EngineOptions, "signal">, Work {
  /** Where expanded weights and optimised programs are kept. Default: the user's cache folder. */
  cache?: Cache;
}

const aCache = isA<Cache>(
  "a cache, with a function acquire",
  (value) => typeof (value as Partial<Cache> | null)?.acquire === "function",
);
const loadArguments = z.object({
  name: someText,
  options: z.strictObject({
    ...workFields,
    prediction: oneOf(predictions).optional(),
    variant: someText.optional(),
    device: oneOf(devices).optional(),
    threads: whole(1, mostThreads()).optional(),
    cache: aCache.optional(),
  }),
});

/**
 * Loads a model: "menagerie", the name of a pulled one or of one in the Hugging Face cache, a diffusers folder, or a
 * single .safetensors file. Starts the engine, reads configurations and headers; weights are mapped when a program first needs them. Throws CheckpointError,
 * DeviceError, UsageError.
 */
export async function loadModel(name: string, options: LoadModelOptions = {}): Promise<Model> {
  checkArguments("loadModel", loadArguments, { name, options });
  const { cache = new DiskCache(), signal, onProgress, device, threads } = options;
  const { path, ...found } = await findModel(name);
  const checkpoint = await openCheckpoint(await openLocal(path), {
    variant: options.variant ?? found.variant,
    prediction: options.prediction ?? found.prediction,
  });
  const tokenizer = await loadTokenizer(checkpoint.tokenizer, {
    shipped: () => openPackageFile(CLIP_MERGES),
    maxLength: textLength(checkpoint),
  });
  const engine = await startEngine({ device, threads, signal });
  try {
    return new Model({
      checkpoint,
      tokenizer,
      engine,
      loader: programLoader(engine, checkpoint, { cache, onProgress }),
    });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Maps the weights of each part once, when the first program asks for them. */
function programLoader(
  engine: Engine,
  checkpoint: Checkpoint,
  { cache, onProgress }: { cache: Cache } & Pick<Work, "onProgress">,
): ProgramLoader {
  const weights = weightsOf(checkpoint);
  const mapped = new Map<Part, Promise<MappedWeights>>();
  const map = (part: Part, signal: AbortSignal | undefined): Promise<MappedWeights> =>
    sharedWork(() => {
      const known = mapped.get(part);
      if (known) return known;
      const made = mapWeights(weights[part], { cache, onProgress, signal });
      mapped.set(part, made);
      made.catch(() => mapped.delete(part));
      return made;
    }, signal);
  return {
    isLarge: (part) => isLarge(checkpoint, part),
    load: async (part, name, outputs, signal) =>
      loadGraph(engine, outputs, {
        name: `${checkpoint.name}, ${name}`,
        weights: await map(part, signal),
        load: loadOptionsOf(checkpoint, part),
        cache,
        signal,
      }),
    close: async () => {
      for (const weights of mapped.values()) await weights.then((w) => w.release());
    },
  };
}

/** The files that turn prompts into tokens: the checkpoint's own, or those that ship with the package. */
async function vocabularyFiles({ tokenizer: { vocabulary, addedTokens } }: Checkpoint): Promise<ByteSource[]> {
  const files = vocabulary ? Object.values(vocabulary) : [await openPackageFile(CLIP_MERGES)];
  return addedTokens ? [...files, addedTokens] : files;
}

/**
 * SHA-256 of everything that a model computes from: its weight files, its configurations and its tokenizer. Hexadecimal
 * digits.
 */
export async function modelHash({ checkpoint }: Model, work: Work = {}): Promise<string> {
  const { unet, vae, textEncoder, scheduler, tokenizer } = checkpoint;
  const parts = [unet, vae, textEncoder];
  const paths = new Set(parts.flatMap(({ weights }) => [...weights.values()].map(({ source }) => source.path)));
  const hashes: string[] = [];
  for (const path of paths) if (path) hashes.push(await hashFile(path, work));
  for (const file of await vocabularyFiles(checkpoint)) hashes.push(sha256(await file.read(0, file.size)));
  return sha256(JSON.stringify([hashes, parts.map(({ config }) => config), scheduler, tokenizer.config]));
}
