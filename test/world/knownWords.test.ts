import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { ClipTokenizer, readVocabulary } from "../../src/text/index.ts";
import { memorySource, parseKnownWords } from "../../src/weights/index.ts";
import { knownWords } from "../../src/world/index.ts";

const menagerie = new URL("../../checkpoints/menagerie/", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, menagerie));
const { words, nearest } = knownWords();

let tokenizer: ClipTokenizer;
beforeAll(async () => {
  const [merges, vocab] = ["merges.txt", "vocab.json"].map((name) => memorySource(name, read(`tokenizer/${name}`)));
  tokenizer = new ClipTokenizer(await readVocabulary(merges, vocab));
});

test("the Menagerie's words.json is what `baret world words` prints", () => {
  expect(JSON.parse(read("words.json").toString())).toEqual({ words, nearest });
  expect(parseKnownWords({ words, nearest }, "words.json").words.size).toBe(words.length);
});

test("each of these words is one token of the Menagerie, and was learnt", () => {
  // Start of text, the word, end of text.
  expect(words.filter((word) => tokenizer.encode(word).length !== 3)).toEqual([]);
});

test("the nearest words are words of captions, given for words that no caption contains", () => {
  const known = new Set(words);
  expect(Object.keys(nearest).filter((word) => known.has(word))).toEqual([]);
  const suggested = Object.values(nearest).flat();
  expect(suggested.filter((phrase) => !phrase.split(" ").every((word) => known.has(word)))).toEqual([]);
  expect(nearest).toMatchObject({ sand: ["on the beach"], puppy: ["dog"], purple: expect.arrayContaining(["brown"]) });
});
