import { CheckpointError, shown } from "../core/index.ts";
import { type ByteSource, type Config, isObject, readJsonObject, readWhole } from "../weights/index.ts";
import { addedTokensOf, type ListedToken, MAX_BYTES } from "./added.ts";

/** A byte-pair vocabulary: pieces with their ids, and the pairs that are joined, most frequent first. */
export interface Vocabulary {
  readonly ids: ReadonlyMap<string, number>;
  readonly merges: readonly (readonly [string, string])[];
}

export const BOS = "<|startoftext|>";
export const EOS = "<|endoftext|>";

/** For each byte, the printable character that stands for it. CLIP's order: first the printable bytes, as themselves. */
function byteLetters(): string[] {
  const printable = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 255 && byte !== 173),
  );
  return [...printable, ...Array.from({ length: 256 - printable.length }, (_, i) => 256 + i)].map((code) =>
    String.fromCharCode(code),
  );
}

/**
 * Reads merges.txt and vocab.json. Without vocab.json the ids are CLIP's: bytes, bytes that end a word, one for each merge,
 * start and end of text. Throws CheckpointError if an id or a merge is wrong.
 */
export async function readVocabulary(merges: ByteSource, vocab?: ByteSource): Promise<Vocabulary> {
  const lines = new TextDecoder().decode(await readWhole(merges, MAX_BYTES)).split(/\r?\n/);
  const pairs = lines.slice(lines[0].startsWith("#version") ? 1 : 0).filter((line) => line.trim() !== "");
  const ids = readIds(vocab ? Object.entries(await readJsonObject(vocab, MAX_BYTES)) : clipIds(pairs), vocab ?? merges);
  return { ids, merges: readMerges(pairs, ids, merges) };
}

/**
 * Reads a tokenizer.json, the one file that transformers 5 writes: vocabulary, merges and added tokens. Throws
 * CheckpointError.
 */
export async function readTokenizerJson(source: ByteSource): Promise<{ vocabulary: Vocabulary; added: ListedToken[] }> {
  const json = await readJsonObject(source, MAX_BYTES);
  return { vocabulary: vocabularyOf(json, source), added: addedTokensOf(json, source.name) };
}

/** Reads the added tokens of a tokenizer.json that lies beside vocab.json and merges.txt. */
export async function readAddedOf(source: ByteSource): Promise<ListedToken[]> {
  return addedTokensOf(await readJsonObject(source, MAX_BYTES), source.name);
}

function vocabularyOf(json: Config, source: ByteSource): Vocabulary {
  const model = isObject(json.model) ? json.model : {};
  if (
    model.type !== "BPE" ||
    model.end_of_word_suffix !== "</w>" ||
    !isObject(model.vocab) ||
    !Array.isArray(model.merges)
  ) {
    throw new CheckpointError("another kind of tokenizer", {
      where: source.name,
      found: isObject(json.model) ? shown(model.type) : "no model",
      expected: "CLIP's: BPE whose words end in </w>",
    });
  }
  const ids = readIds(Object.entries(model.vocab), source);
  return { ids, merges: readMerges(model.merges, ids, source) };
}

function clipIds(merges: readonly string[]): [string, number][] {
  const letters = byteLetters();
  const pieces = [
    ...letters,
    ...letters.map((c) => `${c}</w>`),
    ...merges.map((pair) => pair.split(" ").join("")),
    BOS,
    EOS,
  ];
  return pieces.map((piece, id) => [piece, id]);
}

function readIds(entries: readonly [string, unknown][], { name: where }: ByteSource): Map<string, number> {
  const ids = new Map<string, number>();
  const taken = new Set<number>();
  for (const [piece, id] of entries) {
    if (
      typeof id !== "number" ||
      !Number.isInteger(id) ||
      id < 0 ||
      id > 0x7fffffff ||
      taken.has(id) ||
      ids.has(piece)
    ) {
      throw new CheckpointError(`the id of ${shown(piece)}`, {
        where,
        found: shown(id),
        expected: "a number of its own",
      });
    }
    taken.add(id);
    ids.set(piece, id);
  }
  return ids;
}

/** Reads merges: pairs, each as a list or as text with a space between the two. */
function readMerges(
  merges: readonly unknown[],
  ids: ReadonlyMap<string, number>,
  { name: where }: ByteSource,
): [string, string][] {
  return merges.map((pair, i) => {
    const parts: unknown = typeof pair === "string" ? pair.split(" ") : pair;
    const [left, right]: unknown[] = Array.isArray(parts) && parts.length === 2 ? parts : [];
    if (typeof left === "string" && typeof right === "string") {
      if ([left, right, left + right].every((piece) => ids.has(piece))) return [left, right];
    }
    throw new CheckpointError(`merge ${i + 1}`, {
      where,
      found: shown(pair),
      expected: "two pieces of the vocabulary, whose joint is one too",
    });
  });
}
