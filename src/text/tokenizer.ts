import { Tokenizer } from "@huggingface/tokenizers";
import { type IntTensor, UsageError } from "../core/index.ts";
import type { Config } from "../weights/index.ts";
import type { ListedToken } from "./added.ts";
import { description } from "./description.ts";
import { AddedTokens } from "./find.ts";
import { readSettings, type Token } from "./settings.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** CLIP's row length, if nothing else says. */
const CLIP_LENGTH = 77;

/** A prompt of more UTF-16 units is refused: it is a mistake, such as a whole file in place of a prompt. */
const longestPrompt = 100_000;

/** A word of a prompt, as written between spaces, and its tokens: [start, end) of the row. */
export interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A prompt as a text encoder takes it. */
export interface Encoding {
  /** Shape [1, L]: start of text, the prompt, end of text, padding. */
  readonly ids: IntTensor;
  /** Tokens before the padding, start and end included. */
  readonly length: number;
  /** The words of which at least one token is in the row. */
  readonly words: readonly Word[];
  /** Words that were cut off, whole or in part, in order. If there are any, warn of them. */
  readonly lostWords: readonly string[];
}

/**
 * CLIP's tokenizer: Unicode composed (NFC) and lower-cased, split into contractions, runs of letters, single digits and
 * runs of the rest, each spelt as bytes and joined by the merges. Words that were added to the vocabulary are tokens of
 * their own. The ids are those of transformers' CLIPTokenizer, and words learnt with several tokens (`<cat>`, `<cat>_1`,
 * …) are written out as diffusers' pipelines do.
 */
export class ClipTokenizer {
  /** Row length L. */
  readonly maxLength: number;
  /** 1 + the highest id: the least number of rows of a text encoder's token table. */
  readonly vocabularySize: number;
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
  private readonly engine: Tokenizer;
  /** Length of the longest token. */
  private readonly longestToken: number;
  private readonly added: AddedTokens;
  /** Tokens that end a piece of text: the next one begins a piece of its own. */
  private readonly lastTokens: ReadonlySet<number>;
  /** For the first token of a word that was learnt with several: the others, in order. */
  private readonly continuations: ReadonlyMap<number, readonly number[]>;

  /**
   * `config` is tokenizer_config.json overridden by special_tokens_map.json. `maxLength` is the row length if that has
   * none. `where` names the tokenizer in errors. `added` holds the added tokens of its other files. Throws CheckpointError.
   */
  constructor(
    vocabulary: Vocabulary,
    config: Config = {},
    where = "the tokenizer",
    maxLength = CLIP_LENGTH,
    added: readonly (readonly ListedToken[])[] = [],
  ) {
    const settings = readSettings(config, vocabulary, where, added);
    this.maxLength = settings.maxLength ?? maxLength;
    this.bos = settings.bos.id;
    this.eos = settings.eos.id;
    this.pad = settings.pad.id;
    const ids = [...vocabulary.ids.values(), ...settings.added.map(({ id }) => id)];
    this.vocabularySize = 1 + ids.reduce((most, id) => Math.max(most, id), 0);
    const tokens = [...vocabulary.ids.keys(), ...settings.added.map(({ content }) => content)];
    this.longestToken = tokens.reduce((most, { length }) => Math.max(most, length), 1);
    this.added = new AddedTokens(settings.added);
    const last = [...vocabulary.ids].filter(([piece]) => piece.endsWith("</w>")).map(([, id]) => id);
    this.lastTokens = new Set([...last, ...settings.added.map(({ id }) => id)]);
    this.continuations = continuationsOf(settings.added);
    this.engine = new Tokenizer(description(vocabulary, settings), {});
  }

  /**
   * Encodes a prompt as a row [1, L]. Cuts off what does not fit between start and end of text, and names it in
   * `lostWords`: a prompt of any number of words takes as long as one that fills the row. Throws UsageError if the prompt
   * has more than 100,000 characters.
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
    // Nothing that CLIP's tokenizer does reaches across white space, so each word is encoded by itself.
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

  /** Returns a prompt without the added tokens in it, such as words learnt by textual inversion. */
  withoutAddedTokens(prompt: string): string {
    const sections = this.added.split(prompt);
    return sections.every((one) => typeof one === "string")
      ? prompt
      : sections.map((one) => (typeof one === "string" ? one : " ")).join("");
  }

  /**
   * Positions in a prompt's row of the tokens of a word, or of several words in a row, wherever they stand: "dog" is also
   * found in "dog," and "dog's", but not in "hotdog". Empty if the prompt does not contain the word, or it was cut off.
   */
  positionsOf(prompt: string, word: string): number[] {
    const { ids: row, length } = this.encode(prompt);
    const wanted = this.encode(word);
    const tokens = wanted.ids.data.subarray(1, wanted.length - 1);
    const found: number[] = [];
    for (let at = 1; at + tokens.length < length; at++) {
      const beginsPiece = at === 1 || this.lastTokens.has(row.data[at - 1]);
      if (tokens.length === 0 || !beginsPiece || tokens.some((id, k) => row.data[at + k] !== id)) continue;
      found.push(...Array.from(tokens, (_, k) => at + k));
      at += tokens.length - 1;
    }
    return found;
  }

  /** The first tokens of a word, `room` of them if it has as many. There may be more. */
  private idsOf(word: string, room: number): number[] {
    if (room === 0) return [];
    // Composed (NFC) and lower-cased, a text keeps at least one byte for every two of its UTF-16 units, so these fill the
    // room. One token more keeps what the cut changes out of the row.
    const seen = word.slice(0, 2 * (room + 1) * this.longestToken);
    const ids = this.added
      .split(seen)
      .flatMap((section) =>
        typeof section === "number" ? [section] : this.engine.encode(section, { add_special_tokens: false }).ids,
      );
    return ids.flatMap((id) => [id, ...(this.continuations.get(id) ?? [])]);
  }
}

/** For every added token `<cat>` whose `<cat>_1` was added too: the ids of `<cat>_1`, `<cat>_2` and so on. */
function continuationsOf(added: readonly Token[]): Map<number, number[]> {
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  const continuations = new Map<number, number[]>();
  for (const { content, id } of added) {
    const further: number[] = [];
    for (let k = 1, next = ids.get(`${content}_1`); next !== undefined; next = ids.get(`${content}_${++k}`)) {
      further.push(next);
    }
    if (further.length > 0) continuations.set(id, further);
  }
  return continuations;
}
