// Sentences as the ids that a CLIP text encoder takes.
// Knows of: core, weights (the tokenizer's files).
// Does not know of: text encoders, where the files lie.
export { CLIP_MERGES, type LoadTokenizerOptions, loadTokenizer } from "./load.ts";
export { ClipTokenizer, type Encoding, type Word } from "./tokenizer.ts";
export { readTokenizerJson, readVocabulary, type Vocabulary } from "./vocabulary.ts";
