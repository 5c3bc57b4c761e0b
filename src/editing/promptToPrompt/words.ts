import { type Tensor, tensor } from "../../core/index.ts";
import type { Window } from "../samplingOptions.ts";

/** Tokens of a prompt's row with a value. */
export interface TokenValue<V> {
  readonly tokens: readonly number[];
  readonly value: V;
}

/**
 * α of each token for N sampling steps: 1 in the token's window, else 0. [N + 1, L], as the authors' table: a window [from, to)
 * ends at row ⌊to·(N + 1)⌋. usual: the window of the tokens that `words` does not name; later words take precedence.
 */
export function wordWindows(
  steps: number,
  length: number,
  usual: Window,
  words: readonly TokenValue<Window>[] = [],
): Tensor {
  const rows = steps + 1;
  const table = tensor([rows, length]);
  const fill = ([from, to]: Window, tokens: Iterable<number>): void => {
    const [first, end] = [Math.floor(from * rows), Math.floor(to * rows)];
    for (const token of tokens) {
      for (let i = 0; i < rows; i++) table.data[i * length + token] = i >= first && i < end ? 1 : 0;
    }
  };
  fill(usual, Array(length).keys());
  for (const { tokens, value } of words) fill(value, tokens);
  return table;
}

/** Factor of each token, [L]: 1, or the one of its word. */
export function equaliser(length: number, words: readonly TokenValue<number>[]): Tensor {
  const factors = tensor([length], new Float32Array(length).fill(1));
  for (const { tokens, value } of words) for (const token of tokens) factors.data[token] = value;
  return factors;
}
