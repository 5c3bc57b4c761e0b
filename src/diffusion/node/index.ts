import { z } from "zod";
import {
  cancelledAs,
  checkArguments,
  isA,
  oneOf,
  sha256,
  sharedWork,
  someText,
  type Work,
  whole,
  workFields,
} from "../../core/index.ts";
import { devices, type Engine, loadGraph, type MappedWeights } from "../../runtime/index.ts";
import { mostThreads, type NodeEngineOptions, startEngine } from "../../runtime/node/index.ts";
import { type Cache, hashSource } from "../../storage/index.ts";
import { findModel, openLocal, openPackageFile } from "../../storage/node/index.ts";
import { CLIP_MERGES, loadTokenizer } from "../../text/index.ts";
import {
  type ByteSource,
  type Checkpoint,
  type OpenOptions,
  openCheckpoint,
  predictions,
} from "../../weights/index.ts";
import { Model, textLength } from "../model.ts";
import { isLarge, loadOptionsOf, type Network, weightsOf } from "../networks.ts";
import type { ProgramLoader } from "../programs.ts";

export { type DryRun, type DryRunWork, dryRun, peakMemory, zeroWeights } from "./dryRun.ts";

export interface LoadModelOptions extends OpenOptions, Omit<NodeEngineOptions, "signal">, Work {}

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
 * single .safetensors file. Starts the engine and reads configurations and headers; weights are mapped when a program first
 * needs them. Throws CheckpointError, DeviceError or UsageError.
 */
export async function loadModel(name: string, options: LoadModelOptions = {}): Promise<Model> {
  checkArguments("loadModel", loadArguments, { name, options });
  return cancelledAs("loading the model", options.signal, () => load(name, options));
}

async function load(given: string, options: LoadModelOptions): Promise<Model> {
  const { cache, signal, onProgress, device, threads } = options;
  const { path, name, ...found } = await findModel(given);
  const checkpoint = await openCheckpoint(await openLocal(path), {
    variant: options.variant ?? found.variant,
    prediction: options.prediction ?? found.prediction,
  });
  const tokenizer = await loadTokenizer(checkpoint.tokenizer, {
    shipped: () => openPackageFile(CLIP_MERGES),
    maxLength: textLength(checkpoint),
  });
  const engine = await startEngine({ device, threads, cache, signal });
  try {
    return new Model({
      name,
      checkpoint,
      tokenizer,
      engine,
      loader: programLoader(engine, checkpoint, { name, onProgress }),
    });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Loads programs. Maps the weights of each network once, for the first program that needs them. */
function programLoader(
  engine: Engine,
  checkpoint: Checkpoint,
  { name: modelName, onProgress }: { name: string } & Pick<Work, "onProgress">,
): ProgramLoader {
  const weights = weightsOf(checkpoint);
  const mapped = new Map<Network, Promise<MappedWeights>>();
  const map = (network: Network, signal: AbortSignal | undefined): Promise<MappedWeights> =>
    sharedWork(() => {
      const known = mapped.get(network);
      if (known) return known;
      const made = engine.mapWeights(weights[network], { onProgress, signal });
      mapped.set(network, made);
      made.catch(() => mapped.delete(network));
      return made;
    }, signal);
  return {
    isLarge: (network) => isLarge(checkpoint, network),
    load: async (network, name, outputs, { weights: other, signal }) => {
      const all = { name: `${modelName}, ${name}`, signal };
      // Without constant weights, optimising takes most of the loading time and makes no step faster.
      if (other === "fed") return loadGraph(engine, outputs, { ...all, load: { level: "disabled" } });
      const options = { ...all, load: loadOptionsOf(checkpoint, network) };
      if (!other) return loadGraph(engine, outputs, { ...options, weights: await map(network, signal) });
      const own = await engine.mapWeights(other, { signal });
      // The session holds them.
      return loadGraph(engine, outputs, { ...options, weights: own }).finally(() => own.release());
    },
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

/** SHA-256 of a model's weight files, configurations and tokenizer, as hexadecimal digits: two models with one hash compute the same. */
export async function modelHash(model: Model, work: Work = {}): Promise<string> {
  const known = hashes.get(model);
  if (known) return known;
  const hash = await checkpointHash(model.checkpoint, work);
  hashes.set(model, hash);
  return hash;
}

/** Hashes of models that are loaded. */
const hashes = new WeakMap<Model, string>();

/** The hash of a model, from its checkpoint. */
export async function checkpointHash(checkpoint: Checkpoint, work: Work = {}): Promise<string> {
  const { unet, vae, textEncoder, scheduler, tokenizer } = checkpoint;
  const networks = [unet, vae, textEncoder];
  const all = networks.flatMap(({ weights }) => [...weights.values()].map(({ source }) => source));
  const sources = new Map(all.map((source) => [source.path ?? source, source]));
  const files: string[] = [];
  for (const source of sources.values()) files.push(await hashSource(source, work));
  for (const file of await vocabularyFiles(checkpoint)) files.push(sha256(await file.read(0, file.size)));
  return sha256(JSON.stringify([files, networks.map(({ config }) => config), scheduler, tokenizer.config]));
}
