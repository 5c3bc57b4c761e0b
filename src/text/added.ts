import { z } from "zod";
import { CheckpointError, listed, problemsOf, shown, whole } from "../core/index.ts";
import { type ByteSource, type Config, readJsonObject } from "../weights/index.ts";

/** Text that is one token wherever it stands: never spelt in pieces, never joined with what is beside it. */
export interface AddedToken {
  readonly content: string;
  /** Matched in the composed, lower-cased text if true, in the text as written if false. */
  readonly normalized: boolean;
  /** Matched only between characters that belong to no word. */
  readonly singleWord: boolean;
}

/** An added token with its id and the file or field that lists it. */
export interface ListedToken extends AddedToken {
  readonly id: number;
  readonly where: string;
}

/** More than any tokenizer file has: CLIP's own tokenizer.json has 3.6 MB. */
export const MAX_BYTES = 16 << 20;

const content = z.string().regex(/^\S+$/, { error: "expected text without a space" });
const flag = z.boolean().nullish();
const object = z.looseObject({ content, normalized: flag, single_word: flag });
const error = "expected a token: text without a space";

/** A token as the files of a tokenizer write it: as text, or as an object with flags. */
export const tokenSchema = z.union([content, object], { error });

const idSchema = whole(0, 999_999_999);

/** Reads a token. A token given as text without flags is matched in the normalized text if `normalized`. */
export function tokenOf(value: z.infer<typeof tokenSchema>, normalized: boolean): AddedToken {
  if (typeof value === "string") return { content: value, normalized, singleWord: false };
  return { content: value.content, normalized: value.normalized === true, singleWord: value.single_word === true };
}

/** added_tokens_decoder of a tokenizer_config.json: an object of ids and tokens. */
export const decoderSchema = z
  .record(z.string(), tokenSchema, { error: "expected an object of ids and tokens" })
  .superRefine((tokens, { addIssue }) => {
    for (const id of Object.keys(tokens)) {
      if (!/^\d{1,9}$/.test(id)) addIssue({ code: "custom", path: [id], message: "expected a token's id as its key" });
    }
  });

/** Reads added_tokens_decoder. */
export const decoderTokens = (tokens: z.infer<typeof decoderSchema>, file: string): ListedToken[] =>
  Object.entries(tokens).map(([id, value]) => ({
    ...tokenOf(value, true),
    id: Number(id),
    where: `${file}, added_tokens_decoder`,
  }));

const fileSchema = z.record(z.string(), idSchema).superRefine((tokens, { addIssue }) => {
  for (const text of Object.keys(tokens)) {
    if (!content.safeParse(text).success)
      addIssue({ code: "custom", path: [text], message: "a token must not hold a space" });
  }
});

/**
 * Reads added_tokens.json: an object of tokens and their ids. Tokens among `specials` are matched as written. Throws
 * CheckpointError that lists all problems.
 */
export async function readAddedTokens(source: ByteSource, specials: ReadonlySet<string>): Promise<ListedToken[]> {
  const where = source.name;
  const json = await readJsonObject(source, MAX_BYTES);
  const { data, error } = fileSchema.safeParse(json);
  if (error)
    throw new CheckpointError(`the added tokens cannot be read\n${listed(problemsOf(error, json))}`, { where });
  return Object.entries(data).map(([text, id]) => ({ ...tokenOf(text, !specials.has(text)), id, where }));
}

const listSchema = z.looseObject({
  added_tokens: z.array(object.extend({ id: idSchema }), { error: "expected a list" }).default([]),
});

/** Reads added_tokens of a tokenizer.json: a list of objects with id and flags. Throws CheckpointError. */
export function addedTokensOf(json: Config, where: string): ListedToken[] {
  const { data, error } = listSchema.safeParse(json);
  if (error)
    throw new CheckpointError(`the added tokens cannot be read\n${listed(problemsOf(error, json))}`, { where });
  return data.added_tokens.map(({ id, ...token }) => ({
    ...tokenOf(token, true),
    id,
    where: `${where}, added_tokens`,
  }));
}

/**
 * Joins the lists of added tokens of a tokenizer's files. If two list the same token, the flags of the first count.
 * Throws one CheckpointError with every token that has two ids, and every id that has two tokens.
 */
export function joinAdded(
  lists: readonly (readonly ListedToken[])[],
  vocabulary: ReadonlyMap<string, number>,
  where: string,
): ListedToken[] {
  const all = lists.flat();
  if (all.length === 0) return [];
  const joined = new Map<string, ListedToken>();
  const owners = new Map([...vocabulary].map(([content, id]) => [id, { content, where: "the vocabulary" }]));
  const conflicts: string[] = [];
  for (const token of all) {
    const known = joined.get(token.content)?.id ?? vocabulary.get(token.content);
    const owner = owners.get(token.id);
    if (known !== undefined && known !== token.id) {
      const other = joined.get(token.content)?.where ?? "the vocabulary";
      conflicts.push(`${shown(token.content)}: id ${token.id} in ${token.where}, id ${known} in ${other}`);
    } else if (owner !== undefined && owner.content !== token.content) {
      conflicts.push(
        `id ${token.id}: ${shown(token.content)} in ${token.where}, ${shown(owner.content)} in ${owner.where}`,
      );
    } else if (!joined.has(token.content)) {
      joined.set(token.content, token);
      owners.set(token.id, token);
    }
  }
  if (conflicts.length > 0) {
    throw new CheckpointError(`the tokenizer's files contradict each other\n${listed(conflicts)}`, {
      where,
      advice: "Delete the file that does not belong to this model, or give each token one id.",
    });
  }
  return [...joined.values()];
}
