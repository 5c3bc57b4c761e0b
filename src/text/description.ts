import type { TokenizerSettings } from "./settings.ts";
import type { Vocabulary } from "./vocabulary.ts";

const CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d";

/** Keeps what matches, in the syntax of tokenizer.json. */
const split = (regex: string) => ({ type: "Split", pattern: { Regex: regex }, behavior: "Removed", invert: true });

/** Returns the tokenizer.json of CLIP's tokenizer with this vocabulary, without added tokens. */
export function description({ ids, merges }: Vocabulary, { unk }: TokenizerSettings): object {
  return {
    added_tokens: [],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        // JavaScript lower-cases a sigma that ends a word to ς. The original lower-cases letter by letter.
        { type: "Replace", pattern: { String: "Σ" }, content: "σ" },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        split(`<\\|startoftext\\|>|<\\|endoftext\\|>|${CONTRACTIONS}|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+`),
        // transformers' byte-level step splits once more: a start or end of text that was spelt in capitals.
        split(`${CONTRACTIONS}|\\p{L}+|\\p{N}+|[^\\s\\p{L}\\p{N}]+`),
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unk.content,
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges,
    },
  };
}
