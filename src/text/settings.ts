import { CheckpointError, shown } from "../core/index.ts";
import { type Config, isObject } from "../weights/index.ts";
import { BOS, EOS, type Vocabulary } from "./vocabulary.ts";

/** A piece of text that is one token wherever it stands. */
export interface Marker {
  readonly content: string;
  /** Whether it is looked for in the lower-cased text, or in the text as written. */
  readonly normalized: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
}

/** What tokenizer_config.json says, as far as it changes the ids. */
export interface TokenizerSettings {
  /** Row length L, markers included; undefined where the files do not say. */
  readonly maxLength?: number;
  readonly bos: Marker;
  readonly eos: Marker;
  readonly unk: Marker;
  readonly pad: Marker;
  /** Further tokens that were added to the vocabulary, with their ids. */
  readonly added: readonly (Marker & { readonly id: number })[];
}

const CLASSES = ["CLIPTokenizer", "CLIPTokenizerFast"];

/** transformers writes 1e30 where a tokenizer has no limit. */
const NO_LIMIT = 100_000;

/** Reads a tokenizer's configuration. Throws CheckpointError where it is of another class or makes no sense. */
export function readSettings(config: Config, { ids }: Vocabulary, where: string): TokenizerSettings {
  const { tokenizer_class: name, model_max_length: limit } = config;
  if (name !== undefined && !(CLASSES as unknown[]).includes(name)) {
    throw new CheckpointError("tokenizer_class", { where, found: shown(name), expected: CLASSES[0] });
  }
  if (limit !== undefined && limit !== null && !(typeof limit === "number" && limit >= 2)) {
    throw new CheckpointError("model_max_length", { where, found: shown(limit), expected: "2 or more" });
  }
  const added = readAdded(config, where);
  const known = (key: string, absent: string): Marker => {
    const found = marker(config[key] ?? absent, `${where}, ${key}`);
    if (!ids.has(found.content) && !added.some((token) => token.content === found.content)) {
      throw new CheckpointError(key, {
        where,
        found: shown(found.content),
        expected: "a token of the vocabulary",
      });
    }
    return added.find((token) => token.content === found.content) ?? found;
  };
  return {
    ...(typeof limit === "number" && limit < NO_LIMIT && { maxLength: Math.floor(limit) }),
    bos: known("bos_token", BOS),
    eos: known("eos_token", EOS),
    unk: known("unk_token", EOS),
    pad: known("pad_token", EOS),
    added,
  };
}

function marker(value: unknown, where: string): Marker {
  if (typeof value === "string")
    return { content: value, normalized: false, lstrip: false, rstrip: false, single_word: false };
  if (isObject(value) && typeof value.content === "string" && !/^$|\s/.test(value.content)) {
    const { content, normalized, lstrip, rstrip, single_word } = value;
    return {
      content,
      normalized: normalized === true,
      lstrip: lstrip === true,
      rstrip: rstrip === true,
      single_word: single_word === true,
    };
  }
  throw new CheckpointError("not a token", { where, found: shown(value), expected: "text without a space" });
}

function readAdded({ added_tokens_decoder: added }: Config, where: string): (Marker & { id: number })[] {
  if (added === undefined) return [];
  const place = `${where}, added_tokens_decoder`;
  if (!isObject(added)) throw new CheckpointError("not an object", { where: place });
  return Object.entries(added).map(([id, value]) => {
    if (!/^\d{1,9}$/.test(id)) throw new CheckpointError("not a token's id", { where: place, found: shown(id) });
    return { id: Number(id), ...marker(value, place) };
  });
}
