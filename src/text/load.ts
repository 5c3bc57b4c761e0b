import { CheckpointError } from "../core/index.ts";
import type { ByteSource, TokenizerFiles } from "../weights/index.ts";
import { type ListedToken, readAddedTokens } from "./added.ts";
import { markersOf } from "./settings.ts";
import { ClipTokenizer } from "./tokenizer.ts";
import { readAddedOf, readTokenizerJson, readVocabulary, type Vocabulary } from "./vocabulary.ts";

/** Path of the merges that ship with the package, from its root. */
export const CLIP_MERGES = "assets/clip/merges.txt";

export interface LoadTokenizerOptions {
  /** Opens CLIP_MERGES, for a checkpoint without a tokenizer of its own. Default: such a checkpoint is refused. */
  shipped?: () => Promise<ByteSource>;
  /** Positions of the text encoder: the row length if the tokenizer's own files name none. */
  maxLength?: number;
}

/** Loads the tokenizer of a checkpoint. Throws CheckpointError if its files are not a CLIP tokenizer's, or if it has none. */
export async function loadTokenizer(
  files: TokenizerFiles,
  { shipped, maxLength }: LoadTokenizerOptions = {},
): Promise<ClipTokenizer> {
  const { name = "CLIP's tokenizer", config, addedTokens } = files;
  const { vocabulary, added } = await readVocabularyFiles(files, shipped);
  const listed = addedTokens ? await readAddedTokens(addedTokens, markersOf(config)) : [];
  return new ClipTokenizer(vocabulary, config, name, maxLength, [added, listed]);
}

async function readVocabularyFiles(
  { name, vocabulary: files }: TokenizerFiles,
  shipped: LoadTokenizerOptions["shipped"],
): Promise<{ vocabulary: Vocabulary; added: ListedToken[] }> {
  if (!files) {
    if (shipped) return { vocabulary: await readVocabulary(await shipped()), added: [] };
    throw new CheckpointError("no tokenizer", {
      where: name,
      expected: "vocab.json and merges.txt, or tokenizer.json",
    });
  }
  if (!("vocab" in files)) return readTokenizerJson(files.json);
  const vocabulary = await readVocabulary(files.merges, files.vocab);
  return { vocabulary, added: files.json ? await readAddedOf(files.json) : [] };
}
