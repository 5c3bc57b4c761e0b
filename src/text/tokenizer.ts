import { Tokenizer } from "@huggingface/tokenizers";
import { CheckpointError, type IntTensor, UsageError } from "../core/index.ts";
import type { Config } from "../weights/index.ts";
import { readSettings, type TokenizerSettings } from "./settings.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** CLIP's row length where nothing else says. */
const CLIP_LENGTH = 77;

/** A prompt of more UTF-16 units is refused: it is a mistake, such as a whole file in place of a prompt. */
const longestPrompt = 100_000;

/** A word of the sentence, as it stands between spaces, and the tokens that it became: [start, end) of the row. */
export interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A sentence as a text encoder takes it. */
export interface Encoding {
  /** [1, L]: start marker, the sentence, end marker, padding. */
  readonly ids: IntTensor;
  /** Tokens before the padding, both markers included. */
  readonly length: number;
  /** The words that are in the row, whole or in part. */
  readonly words: readonly Word[];
  /** The words that found no room, whole or in part, in order. Worth a warning where there are any. */
  readonly lostWords: readonly string[];
}

/**
 * CLIP's tokenizer: Unicode composed (NFC) and lower-cased, split into contractions, runs of letters, single digits and
 * runs of the rest, each spelt as bytes and joined by the merges. The ids are those of transformers' CLIPTokenizer.
 */
export class ClipTokenizer {
  /** Row length L. */
  readonly maxLength: number;
  /** Every id is below this: what a text encoder's vocabulary must have. */
  readonly vocabularySize: number;
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
  private readonly engine: Tokenizer;
  /** Length of the longest token. */
  private readonly longestToken: number;

  /**
   * `config`: tokenizer_config.json, under special_tokens_map.json. `maxLength` stands in where that has no length.
   * `where` is what errors call it. Throws CheckpointError.
   */
  constructor(vocabulary: Vocabulary, config: Config = {}, where = "the tokenizer", maxLength = CLIP_LENGTH) {
    const settings = readSettings(config, vocabulary, where);
    this.maxLength = settings.maxLength ?? maxLength;
    const idOf = ({ content }: { content: string }) =>
      settings.added.find((token) => token.content === content)?.id ?? vocabulary.ids.get(content);
    const [bos, eos, pad] = [settings.bos, settings.eos, settings.pad].map(idOf);
    if (bos === undefined || eos === undefined || pad === undefined) {
      throw new CheckpointError("the markers are not in the vocabulary", { where });
    }
    this.bos = bos;
    this.eos = eos;
    this.pad = pad;
    const ids = [...vocabulary.ids.values(), ...settings.added.map(({ id }) => id)];
    this.vocabularySize = 1 + ids.reduce((most, id) => Math.max(most, id), 0);
    const tokens = [...vocabulary.ids.keys(), ...settings.added.map(({ content }) => content)];
    this.longestToken = tokens.reduce((most, { length }) => Math.max(most, length), 1);
    this.engine = new Tokenizer(description(vocabulary, settings, idOf), {});
  }

  /**
   * Encodes a prompt as a row [1, L]. Cuts off what does not fit between the markers, and names it in `lostWords`: a
   * prompt of any number of words takes as long as one that fills the row. Throws UsageError if the prompt has more than
   * 100,000 characters.
   */
  encode(text: string): Encoding {
    if (text.length > longestPrompt) {
      throw new UsageError("the prompt is too long", {
        found: `${text.length} characters, from ${JSON.stringify(text.slice(0, 40))} on`,
        expected: `at most ${longestPrompt}`,
        advice: `The text encoder reads ${this.maxLength - 2} tokens, about as many words.`,
      });
    }
    const row = new Int32Array(this.maxLength).fill(this.pad);
    const end = this.maxLength - 1;
    const words: Word[] = [];
    const lostWords: string[] = [];
    row[0] = this.bos;
    let at = 1;
    // Nothing that CLIP's tokenizer does reaches across white space, so each word can be asked for its own tokens.
    for (const word of text.split(/\p{White_Space}+/u)) {
      if (word === "") continue;
      const ids = this.idsOf(word, end - at);
      const fitting = Math.min(ids.length, end - at);
      row.set(ids.slice(0, fitting), at);
      if (fitting > 0) words.push({ text: word, start: at, end: at + fitting });
      // Every character is in some token, so a word without room for one is lost.
      if (fitting < ids.length || at === end) lostWords.push(word);
      at += fitting;
    }
    row[at] = this.eos;
    return { ids: { shape: [1, this.maxLength], data: row }, length: at + 1, words, lostWords };
  }

  /** The first tokens of a word, `room` of them if it has as many. There may be more. */
  private idsOf(word: string, room: number): number[] {
    if (room === 0) return [];
    // Composed (NFC) and lower-cased, a text keeps at least one byte for every two of its UTF-16 units, so these fill the
    // room. One token more keeps what the cut changes out of the row.
    const seen = word.slice(0, 2 * (room + 1) * this.longestToken);
    // The library takes a whole text that lower-cases to a marker for the marker; the space makes it none.
    return this.engine.encode(` ${seen}`, { add_special_tokens: false }).ids;
  }

  /** The text of a row, without markers and padding: lower-case, one space after every word. */
  decode(ids: Iterable<number>): string {
    const text = this.engine.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false });
    return text.replaceAll("</w>", " ").trim();
  }
}

const CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d";

/** Keeps what matches, in the syntax of tokenizer.json. */
const split = (regex: string) => ({ type: "Split", pattern: { Regex: regex }, behavior: "Removed", invert: true });

/** The tokenizer.json that says what CLIP does. */
function description(
  { ids, merges }: Vocabulary,
  { bos, eos, unk, pad, added }: TokenizerSettings,
  idOf: (token: { content: string }) => number | undefined,
): object {
  const markers = new Map([bos, eos, unk, pad, ...added].map((token) => [token.content, token]));
  return {
    added_tokens: [...markers.values()].map((token) => ({ ...token, id: idOf(token), special: true })),
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
        // What transformers' byte-level step splits once more: a marker that was spelt in capitals.
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
