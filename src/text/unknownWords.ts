import type { KnownWords } from "../weights/index.ts";

/** A word of a prompt that a model was not trained on. */
export interface UnknownWord {
  readonly word: string;
  /** The nearest words that the model was trained on, best first. Empty if none is near. */
  readonly nearest: readonly string[];
}

/** Shorter words are near to any other. */
const shortest = 3;
/** More suggestions of similar spelling help nobody. */
const mostSimilar = 3;

/** Edits allowed between a word and one of similar spelling. */
const allowedEdits = (word: string): number => (word.length < 6 ? 1 : 2);

/** Returns the number of letters to insert, delete, replace or swap with a neighbour that make `b` of `a`. */
export function editDistance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, k) => k)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next[j] = Math.min(last[j] + 1, next[j - 1] + 1, replaced, isSwap ? before[j - 2] + 1 : replaced);
    }
    [before, last] = [last, next];
  }
  return last[b.length];
}

/** Known words of similar spelling, the most similar first. */
function similar(word: string, { words }: KnownWords): string[] {
  const most = allowedEdits(word);
  if (word.length < shortest) return [];
  return [...words]
    .filter((known) => known.length >= shortest && Math.abs(known.length - word.length) <= most)
    .map((known) => ({ known, distance: editDistance(word, known) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance || a.known.localeCompare(b.known, "en"))
    .slice(0, mostSimilar)
    .map(({ known }) => known);
}

/** Returns the words of a text that are not known, each once and in order, with the nearest known words. */
export function unknownWords(text: string, known: KnownWords): UnknownWord[] {
  const written = text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+(?:['’]\p{L}+)*/gu) ?? [];
  // "dog's" is the word "dog".
  const words = new Set(written.map((word) => word.replace(/['’]s$/, "")));
  const unknown = [...words].filter((word) => !known.words.has(word));
  return unknown.map((word) => ({ word, nearest: known.nearest.get(word) ?? similar(word, known) }));
}
