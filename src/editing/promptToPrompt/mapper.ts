import { few, type Tensor, tensor, UsageError } from "../../core/index.ts";
import type { PromptReader } from "../method.ts";

type Encoding = ReturnType<PromptReader["tokenize"]>;

/** How the tokens of the target take the cross-attention of the caption's tokens. */
export interface Mapper {
  /** [L, L]: the target's token j takes Σ_i matrix[i, j] · the map of the caption's token i. */
  readonly matrix: Tensor;
  /** [L]: 1 for tokens of the target that take a map, 0 for those that keep their own. */
  readonly matched: Tensor;
}

/**
 * Word replacement (paper, §3.2 "Word Swap"): the n-th word takes the map of the n-th word. A word takes the maps of one with
 * as many tokens token by token; else each of its tokens takes the same share of all of them. Words are what is between
 * spaces. Throws UsageError if the prompts do not have equally many.
 *
 * fixTail: after the last word that differs, tokens take from their counterparts. false: from the token at their own position,
 * as the authors' code does, which is another one if a word and its replacement have different numbers of tokens.
 */
export function replacementMapper(caption: Encoding, target: Encoding, fixTail = true): Mapper {
  if (caption.words.length !== target.words.length) {
    const [from, to] = [caption, target].map(
      ({ words }) => `${words.length} words (${few(words.map(({ text }) => text))})`,
    );
    throw new UsageError("the caption and the target have different numbers of words", {
      where: "mapping replace",
      found: `${from} and ${to}`,
      expected: "equally many",
      advice: "Use the mapping refine, or write both prompts with equally many words.",
    });
  }
  const length = target.ids.data.length;
  const matrix = tensor([length, length]);
  const set = (i: number, j: number, share: number): void => {
    matrix.data[i * length + j] = share;
  };
  const different = target.words.flatMap((word, n) => (word.text === caption.words[n].text ? [] : [n]));
  let [i, j] = [0, 0];
  for (const n of different) {
    const [from, to] = [caption.words[n], target.words[n]];
    while (i < from.start) set(i++, j++, 1);
    const [count, wanted] = [from.end - from.start, to.end - to.start];
    for (let k = 0; k < wanted; k++) {
      if (count === wanted) set(i + k, j + k, 1);
      else for (let m = 0; m < count; m++) set(i + m, j + k, 1 / wanted);
    }
    i += count;
    j += wanted;
  }
  for (; i < length && j < length; i++, j++) set(fixTail ? i : j, j, 1);
  return { matrix, matched: tensor([length], new Float32Array(length).fill(1)) };
}

/**
 * Prompt refinement (paper, §3.2 "Adding a New Phrase"): tokens of the target take the maps of equal tokens of the caption, found
 * by aligning both prompts; new tokens keep their own. Padding takes from the same position.
 */
export function refinementMapper(caption: Encoding, target: Encoding): Mapper {
  const length = target.ids.data.length;
  const matrix = tensor([length, length]);
  const matched = tensor([length]);
  const [x, y] = [caption, target].map((one) => one.ids.data.subarray(0, one.length));
  const sources = aligned(x, y);
  for (let j = 0; j < length; j++) {
    const i = j < sources.length ? sources[j] : j;
    if (i === undefined) continue;
    matrix.data[i * length + j] = 1;
    matched.data[j] = 1;
  }
  return { matrix, matched };
}

const [gap, match, mismatch] = [0, 1, -1];

/**
 * Aligns two sequences (Needleman & Wunsch 1970). Returns for each element of y its partner in x, or undefined if it is new. Of
 * equally good alignments, the authors' code is followed from the end: first a new element of y, then one left out of x, then
 * a pair.
 */
function aligned(x: ArrayLike<number>, y: ArrayLike<number>): (number | undefined)[] {
  const best = Array.from({ length: x.length + 1 }, () => new Int32Array(y.length + 1));
  const pair = (i: number, j: number): number => best[i - 1][j - 1] + (x[i - 1] === y[j - 1] ? match : mismatch);
  for (let i = 1; i <= x.length; i++) {
    for (let j = 1; j <= y.length; j++) {
      best[i][j] = Math.max(best[i][j - 1] + gap, best[i - 1][j] + gap, pair(i, j));
    }
  }
  const partners = Array<number | undefined>(y.length).fill(undefined);
  for (let [i, j] = [x.length, y.length]; i > 0 && j > 0; ) {
    if (best[i][j] === best[i][j - 1] + gap) j--;
    else if (best[i][j] === best[i - 1][j] + gap) i--;
    else partners[--j] = --i;
  }
  return partners;
}
