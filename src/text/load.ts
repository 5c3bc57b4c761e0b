import type { ByteSource, TokenizerFiles } from "../weights/index.ts";
import { ClipTokenizer } from "./tokenizer.ts";
import { readTokenizerJson, readVocabulary } from "./vocabulary.ts";

/** Where the merges that ship with the package lie, from its root. */
export const CLIP_MERGES = "assets/clip/merges.txt";

export interface LoadTokenizerOptions {
  /** Opens CLIP_MERGES; called only where a checkpoint has no tokenizer of its own. */
  shipped: () => Promise<ByteSource>;
  /** Positions that the text encoder has: the row length where the tokenizer's own files name none. */
  maxLength?: number;
}

/** The tokenizer of a checkpoint. Throws CheckpointError where its files are not a CLIP tokenizer's. */
export async function loadTokenizer(
  { vocabulary: files, config }: TokenizerFiles,
  { shipped, maxLength }: LoadTokenizerOptions,
): Promise<ClipTokenizer> {
  if (!files) return new ClipTokenizer(await readVocabulary(await shipped()), config, "CLIP's tokenizer", maxLength);
  if ("json" in files)
    return new ClipTokenizer(await readTokenizerJson(files.json), config, files.json.name, maxLength);
  const vocabulary = await readVocabulary(files.merges, files.vocab);
  return new ClipTokenizer(vocabulary, config, files.vocab.name, maxLength);
}
