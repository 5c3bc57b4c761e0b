import { cut, few, type Warning } from "../core/index.ts";
import type { UnknownWord } from "../text/index.ts";
import type { Model } from "./model.ts";

/** Returns the warning that a prompt is longer than the text encoder's token limit. lost: the words cut off. */
export const cutPrompt = (prompt: string, lost: readonly string[]): Warning => ({
  code: "cut-prompt",
  message: `"${cut(prompt, 40)}" is longer than the model's text encoder reads. Cut off: ${few(lost.map((one) => cut(one, 40)))}`,
});

/** Most unknown words that a warning names. */
const mostNamed = 6;

/** Returns the warning that a model was not trained on some words of its prompts. model: its name. */
export function unknownWordsWarning(model: string, unknown: readonly UnknownWord[]): Warning {
  const named = unknown.slice(0, mostNamed).map(({ word, nearest }) => {
    const near = nearest.length > 0 ? ` (nearest known: ${few(nearest, mostNamed)})` : "";
    return `"${cut(word, 30)}"${near}`;
  });
  const more = unknown.length > mostNamed ? [`${unknown.length - mostNamed} more`] : [];
  return {
    code: "unknown-words",
    message: `${cut(model, 60)} was not trained on ${[...named, ...more].join(", ")}: such words have no effect, or a random one`,
    details: { words: Object.fromEntries(unknown.slice(0, mostNamed).map(({ word, nearest }) => [word, nearest])) },
  };
}

/** Returns warnings of words that the model was not trained on, and of prompts that are longer than the token limit. */
export function promptWarnings(model: Model, prompts: readonly string[]): Warning[] {
  const different = [...new Set(prompts)];
  const unknown = new Map(different.flatMap((prompt) => model.unknownWords(prompt)).map((one) => [one.word, one]));
  const lost = different.map((prompt) => ({ prompt, words: model.lostWords(prompt) }));
  return [
    ...(unknown.size > 0 ? [unknownWordsWarning(model.name, [...unknown.values()])] : []),
    ...lost.filter(({ words }) => words.length > 0).map(({ prompt, words }) => cutPrompt(prompt, words)),
  ];
}
