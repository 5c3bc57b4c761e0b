import { sha256, type Work } from "../core/index.ts";
import { hashSource } from "../storage/index.ts";
import type { ByteSource, Checkpoint } from "../weights/index.ts";
import type { Model } from "./model.ts";
import type { Platform } from "./platform.ts";

/** Returns the files that turn prompts into tokens: the checkpoint's own, or those that ship with the package. */
async function vocabularyFiles(
  { tokenizer: { vocabulary, addedTokens } }: Checkpoint,
  { merges }: Pick<Platform, "merges">,
): Promise<ByteSource[]> {
  const files = vocabulary ? Object.values(vocabulary) : [await merges()];
  return addedTokens ? [...files, addedTokens] : files;
}

/**
 * Returns the SHA-256 of a model's weight files, configurations and tokenizer, as hexadecimal digits: two models with one hash
 * compute the same.
 */
export async function modelHash(model: Model, work: Work = {}): Promise<string> {
  const known = hashes.get(model);
  if (known) return known;
  const hash = await checkpointHash(model.checkpoint, model.platform, work);
  hashes.set(model, hash);
  return hash;
}

/** Hashes of models that are loaded. */
const hashes = new WeakMap<Model, string>();

/** Returns the hash of a model, from its checkpoint. */
export async function checkpointHash(
  checkpoint: Checkpoint,
  platform: Pick<Platform, "merges">,
  work: Work = {},
): Promise<string> {
  const { unet, vae, textEncoder, scheduler, tokenizer } = checkpoint;
  const networks = [unet, vae, textEncoder];
  const all = networks.flatMap(({ weights }) => [...weights.values()].map(({ source }) => source));
  const sources = new Map(all.map((source) => [source.path ?? source, source]));
  const files: string[] = [];
  for (const source of sources.values()) files.push(await hashSource(source, work));
  for (const file of await vocabularyFiles(checkpoint, platform)) files.push(sha256(await file.read(0, file.size)));
  return sha256(JSON.stringify([files, networks.map(({ config }) => config), scheduler, tokenizer.config]));
}
