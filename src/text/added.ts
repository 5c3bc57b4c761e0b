import { CheckpointError, listed, shown } from "../core/index.ts";
import { type ByteSource, type Config, isObject, readJsonObject } from "../weights/index.ts";

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

/**
 * Reads a token as tokenizer_config.json, special_tokens_map.json and tokenizer.json write it: as plain text or as an
 * object with flags. A special token given as plain text is matched as written. Throws CheckpointError if it is neither.
 */
export function readToken(value: unknown, where: string, special: boolean): AddedToken {
  const token = typeof value === "string" ? { content: value, normalized: !special } : value;
  if (isObject(token) && typeof token.content === "string" && !/^$|\s/.test(token.content)) {
    return {
      content: token.content,
      normalized: token.normalized === true,
      singleWord: token.single_word === true,
    };
  }
  throw new CheckpointError("not a token", { where, found: shown(value), expected: "text without a space" });
}

const isId = (id: unknown): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0 && id < 1e9;

function wrongId(where: string, found: unknown): CheckpointError {
  return new CheckpointError("not a token's id", { where, found: shown(found), expected: "a whole number" });
}

/** Reads added_tokens.json: an object of tokens and their ids. `specials`: the contents of special tokens. */
export async function readAddedTokens(source: ByteSource, specials: ReadonlySet<string>): Promise<ListedToken[]> {
  const where = source.name;
  return Object.entries(await readJsonObject(source, MAX_BYTES)).map(([content, id]) => {
    if (!isId(id)) throw wrongId(`${where}, ${shown(content)}`, id);
    return { ...readToken({ content, normalized: !specials.has(content) }, where, false), id, where };
  });
}

/** Reads added_tokens of a tokenizer.json: a list of objects with id and flags. */
export function addedTokensOf(json: Config, file: string): ListedToken[] {
  const { added_tokens: added = [] } = json;
  const where = `${file}, added_tokens`;
  if (!Array.isArray(added)) throw new CheckpointError("not a list", { where, found: shown(added) });
  return added.map((value: unknown) => {
    const token = readToken(value, where, false);
    const id = isObject(value) ? value.id : undefined;
    if (!isId(id)) throw wrongId(`${where}, ${shown(token.content)}`, id);
    return { ...token, id, where };
  });
}

/** Reads added_tokens_decoder of a tokenizer_config.json: an object of ids and tokens. */
export function addedTokensDecoder({ added_tokens_decoder: added }: Config, file: string): ListedToken[] {
  if (added === undefined || added === null) return [];
  const where = `${file}, added_tokens_decoder`;
  if (!isObject(added)) throw new CheckpointError("not an object", { where, found: shown(added) });
  return Object.entries(added).map(([id, value]) => {
    if (!/^\d{1,9}$/.test(id)) throw wrongId(where, id);
    return { ...readToken(value, where, false), id: Number(id), where };
  });
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
