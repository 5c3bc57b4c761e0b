// Tokenizes prompts for CLIP text encoders.
// Uses: core, weights (the tokenizer's files).
// Does not know: text encoders, and the places of files.
export { CLIP_MERGES, type LoadTokenizerOptions, loadTokenizer } from "./load.ts";
export { ClipTokenizer, type Encoding, type Word } from "./tokenizer.ts";
export { editDistance, type UnknownWord, unknownWords } from "./unknownWords.ts";
export { readTokenizerJson, readVocabulary, type Vocabulary } from "./vocabulary.ts";
