import { z } from "zod";
import { CheckpointError, listed, problemsOf } from "../core/index.ts";

/** The words of the captions that a model was trained on. Only models of few words, such as the Menagerie, list them. */
export interface KnownWords {
  /** In lower case. */
  readonly words: ReadonlySet<string>;
  /** For words that it was not trained on: the nearest words or phrases that it was trained on. */
  readonly nearest: ReadonlyMap<string, readonly string[]>;
}

const word = z.string().regex(/^[\p{L}\p{N}']{1,40}$/u, "expected a word");
const phrase = z.string().regex(/^\S+( \S+){0,4}$/, "expected one to five words");

const schema = z.strictObject({
  words: z.array(word).min(1, "expected a list of words").max(100_000, "expected at most 100000 words"),
  nearest: z.record(word, z.array(phrase).max(20, "expected at most 20 phrases")).default({}),
});

/** Reads words.json. Throws CheckpointError that lists all wrong fields. */
export function parseKnownWords(json: unknown, where: string): KnownWords {
  const { data, error } = schema.safeParse(json);
  if (error) throw new CheckpointError(`not a list of known words\n${listed(problemsOf(error, json))}`, { where });
  const lower = (text: string): string => text.toLowerCase();
  return {
    words: new Set(data.words.map(lower)),
    nearest: new Map(Object.entries(data.nearest).map(([own, phrases]) => [lower(own), phrases])),
  };
}
