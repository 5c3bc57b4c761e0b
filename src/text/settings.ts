import { z } from "zod";
import { CheckpointError, listed, oneOf, problemsOf } from "../core/index.ts";
import type { Config } from "../weights/index.ts";
import {
  type AddedToken,
  decoderSchema,
  decoderTokens,
  joinAdded,
  type ListedToken,
  tokenOf,
  tokenSchema,
} from "./added.ts";
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

/** transformers writes 1e30 for a tokenizer without a limit. */
const NO_LIMIT = 100_000;

/** Further special tokens: a list, or an object of names and tokens. */
const further = z.union([z.array(tokenSchema), z.record(z.string(), tokenSchema)], {
  error: "expected a list of tokens",
});

const schema = z.looseObject({
  tokenizer_class: oneOf(["CLIPTokenizer", "CLIPTokenizerFast"]).optional(),
  model_max_length: z.number({ error: "expected 2 or more" }).min(2, { error: "expected 2 or more" }).nullish(),
  bos_token: tokenSchema.nullish(),
  eos_token: tokenSchema.nullish(),
  unk_token: tokenSchema.nullish(),
  pad_token: tokenSchema.nullish(),
  // transformers' names before and since version 5.
  additional_special_tokens: further.nullish(),
  extra_special_tokens: further.nullish(),
  added_tokens_decoder: decoderSchema.nullish(),
});

/**
 * Reads tokenizer_config.json, overridden by special_tokens_map.json. `where` names it in errors. `others` are the
 * added tokens that the tokenizer's other files list. A special token without an id gets the next free one, as transformers
 * gives it. Throws CheckpointError that lists all problems, or all contradictions of the files.
 */
export function readSettings(
  config: Config,
  { ids }: Vocabulary,
  where: string,
  others: readonly (readonly ListedToken[])[] = [],
): TokenizerSettings {
  const { data, error } = schema.safeParse(config);
  if (error) {
    throw new CheckpointError(`not a CLIP tokenizer's configuration\n${listed(problemsOf(error, config))}`, { where });
  }
  const { model_max_length: limit, added_tokens_decoder: decoder } = data;
  const lists = joinAdded([decoderTokens(decoder ?? {}, where), ...others], ids, where);
  const added = new Map<string, Token>(lists.map((token) => [token.content, token]));
  const isListed = new Set(added.keys());
  const taken = new Set([...ids.values(), ...lists.map(({ id }) => id)]);
  let free = ids.size;
  const nextFree = (): number => {
    while (taken.has(free)) free++;
    taken.add(free);
    return free;
  };
  const register = (value: z.infer<typeof tokenSchema>): Token => {
    const token = tokenOf(value, false);
    const known = added.get(token.content);
    if (known && isListed.has(token.content)) return known;
    // Several fields may name one token; the flags of the last count, as in transformers.
    const registered = { ...token, id: known?.id ?? ids.get(token.content) ?? nextFree() };
    added.set(token.content, registered);
    return registered;
  };
  const [bos, eos, unk, pad] = [
    register(data.bos_token ?? BOS),
    register(data.eos_token ?? EOS),
    register(data.unk_token ?? EOS),
    register(data.pad_token ?? EOS),
  ];
  for (const tokens of [data.additional_special_tokens, data.extra_special_tokens]) {
    for (const token of Object.values(tokens ?? {})) register(token);
  }
  return {
    ...(typeof limit === "number" && limit < NO_LIMIT && { maxLength: Math.floor(limit) }),
    bos,
    eos,
    unk,
    pad,
    added: [...added.values()],
  };
}

/** Contents of the tokens that a configuration names for start and end of text, unknown text and padding. */
export function markersOf(config: Config): Set<string> {
  const values = [config.bos_token, config.eos_token, config.unk_token, config.pad_token];
  const tokens = values.flatMap((value) => tokenSchema.safeParse(value).data ?? []);
  return new Set(tokens.map((token) => tokenOf(token, false).content));
}
