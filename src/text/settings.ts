import { CheckpointError, shown } from "../core/index.ts";
import type { Config } from "../weights/index.ts";
import { type AddedToken, addedTokensDecoder, joinAdded, type ListedToken, readToken } from "./added.ts";
import { BOS, EOS, type Vocabulary } from "./vocabulary.ts";

/** An added token and its id. */
export type Token = AddedToken & { readonly id: number };

/** Settings of a tokenizer that change the ids. */
export interface TokenizerSettings {
  /** Row length L, start and end of text included; undefined if the files do not say. */
  readonly maxLength?: number;
  readonly bos: Token;
  readonly eos: Token;
  readonly unk: Token;
  readonly pad: Token;
  /** Every token that is never spelt in pieces, the four above included. */
  readonly added: readonly Token[];
}

const CLASSES = ["CLIPTokenizer", "CLIPTokenizerFast"];

/** transformers writes 1e30 for a tokenizer without a limit. */
const NO_LIMIT = 100_000;

/** Fields that name further special tokens, in transformers before and since version 5. */
const SPECIAL_LISTS = ["additional_special_tokens", "extra_special_tokens"] as const;

/** The special tokens that the configuration names beside start, end, unknown and padding. */
function furtherSpecials(config: Config, where: string): AddedToken[] {
  return SPECIAL_LISTS.flatMap((field) => {
    const value = config[field] ?? [];
    const place = `${where}, ${field}`;
    if (typeof value !== "object") throw new CheckpointError("not a list", { where: place, found: shown(value) });
    return Object.values(value).map((token: unknown) => readToken(token, place, true));
  });
}

const MARKERS = ["bos_token", "eos_token", "unk_token", "pad_token"] as const;

/** Contents of the tokens that a configuration names for start and end of text, unknown text and padding. */
export function markersOf(config: Config, where: string): Set<string> {
  const named = MARKERS.filter((key) => (config[key] ?? undefined) !== undefined);
  return new Set(named.map((key) => readToken(config[key], `${where}, ${key}`, true).content));
}

/**
 * Reads a tokenizer's configuration. `listed` holds the added tokens of its other files. A special token without an id
 * gets the next free one, as transformers gives it. Throws CheckpointError if the class is another one, a setting makes no
 * sense, or the files contradict each other.
 */
export function readSettings(
  config: Config,
  { ids }: Vocabulary,
  where: string,
  listed: readonly (readonly ListedToken[])[] = [],
): TokenizerSettings {
  const { tokenizer_class: name, model_max_length: limit } = config;
  if (name !== undefined && !(CLASSES as unknown[]).includes(name)) {
    throw new CheckpointError("tokenizer_class", { where, found: shown(name), expected: CLASSES[0] });
  }
  if (limit !== undefined && limit !== null && !(typeof limit === "number" && limit >= 2)) {
    throw new CheckpointError("model_max_length", { where, found: shown(limit), expected: "2 or more" });
  }
  const lists = joinAdded([addedTokensDecoder(config, where), ...listed], ids, where);
  const added = new Map<string, Token>(lists.map((token) => [token.content, token]));
  const isListed = new Set(added.keys());
  const taken = new Set([...ids.values(), ...lists.map(({ id }) => id)]);
  let free = ids.size;
  const nextFree = (): number => {
    while (taken.has(free)) free++;
    taken.add(free);
    return free;
  };
  const register = (token: AddedToken): Token => {
    const { content } = token;
    const known = added.get(content);
    if (known && isListed.has(content)) return known;
    // Several fields may name one token; the flags of the last count, as in transformers.
    const registered = { ...token, id: known?.id ?? ids.get(content) ?? nextFree() };
    added.set(content, registered);
    return registered;
  };
  const marker = (key: string, absent: string) => register(readToken(config[key] ?? absent, `${where}, ${key}`, true));
  const [bos, eos, unk, pad] = [
    marker("bos_token", BOS),
    marker("eos_token", EOS),
    marker("unk_token", EOS),
    marker("pad_token", EOS),
  ];
  for (const token of furtherSpecials(config, where)) register(token);
  return {
    ...(typeof limit === "number" && limit < NO_LIMIT && { maxLength: Math.floor(limit) }),
    bos,
    eos,
    unk,
    pad,
    added: [...added.values()],
  };
}
