import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { CheckpointError, UsageError } from "../../src/core/index.ts";
import { openPackageFile } from "../../src/storage/node/index.ts";
import {
  CLIP_MERGES,
  ClipTokenizer,
  loadTokenizer,
  readTokenizerJson,
  readVocabulary,
  type Vocabulary,
} from "../../src/text/index.ts";
import { type ByteSource, type Config, memorySource } from "../../src/weights/index.ts";

/** Ids of transformers' CLIPTokenizer; tools/parity/tokenizer.py wrote them. */
interface Reference {
  config: Config;
  pad: number;
  /** Prompts and their ids. */
  sentences: [string, number[]][];
}
const references: Record<"SD1.x" | "SD2.x" | "plain", Reference> = JSON.parse(
  gunzipSync(readFileSync(new URL("fixtures/tokenizer.json.gz", import.meta.url))).toString(),
);

const json = (name: string, value: unknown) => memorySource(name, new TextEncoder().encode(JSON.stringify(value)));
const text = (name: string, value: string) => memorySource(name, new TextEncoder().encode(value));

let clip: Vocabulary;
beforeAll(async () => {
  clip = await readVocabulary(await openPackageFile(CLIP_MERGES));
});

test.each(["SD1.x", "SD2.x", "plain"] as const)("%s: every prompt has the ids of transformers", (name) => {
  const { config, pad, sentences } = references[name];
  const tokenizer = new ClipTokenizer(clip, config);
  const different = sentences.filter(([sentence, ids]) => {
    const row = [...ids, ...new Array(77 - ids.length).fill(pad)];
    return tokenizer.encode(sentence).ids.data.join() !== row.join();
  });
  expect(different.map(([sentence]) => sentence)).toEqual([]);
  expect(sentences.length).toBeGreaterThanOrEqual(name === "SD1.x" ? 10_000 : 1_000);
});

test("the merges alone give CLIP's 49408 ids", () => {
  expect(clip.ids.size).toBe(49408);
  for (const [piece, id] of Object.entries({ "!": 0, "a</w>": 320, "dog</w>": 1929, "<|endoftext|>": 49407 })) {
    expect(clip.ids.get(piece)).toBe(id);
  }
});

test("a row is start of text, prompt, end of text, padding; SD2.x pads with token 0", () => {
  const row = (config: Config) => [
    ...new ClipTokenizer(clip, { ...config, model_max_length: 6 }).encode("A dog").ids.data,
  ];
  expect(row({})).toEqual([49406, 320, 1929, 49407, 49407, 49407]);
  expect(row({ pad_token: "!" })).toEqual([49406, 320, 1929, 49407, 0, 0]);
  const empty = new ClipTokenizer(clip).encode("  ");
  expect([empty.ids.shape, empty.length, empty.words, empty.lostWords]).toEqual([[1, 77], 2, [], []]);
});

test("every word knows its tokens", () => {
  const { ids, words, length } = new ClipTokenizer(clip).encode("  A dog's\tphotorealistic café, 狗 ");
  expect(words.map((w) => w.text)).toEqual(["A", "dog's", "photorealistic", "café,", "狗"]);
  const pieces = new Map([...clip.ids].map(([piece, id]) => [id, piece]));
  const tokens = words.map(({ start, end }) => [...ids.data.slice(start, end)].map((id) => pieces.get(id)));
  expect(tokens).toEqual([
    ["a</w>"],
    ["dog</w>", "'s</w>"],
    ["photo", "realistic</w>"],
    ["cafÃ©</w>", ",</w>"],
    ["ç", "ĭ", "Ĺ</w>"],
  ]);
  const bounds = words.flatMap(({ start, end }) => [start, end]);
  expect(bounds).toEqual([1, ...bounds.slice(1, -1), length - 1]);
  for (let i = 2; i < bounds.length; i += 2) expect(bounds[i]).toBe(bounds[i - 1]);
});

test("words beyond the token limit are named, also a word that is cut in two", () => {
  const tokenizer = new ClipTokenizer(clip, { model_max_length: 6 });
  const { ids, words, lostWords, length } = tokenizer.encode("one two three abcxyzabc four");
  expect(words).toEqual([
    { text: "one", start: 1, end: 2 },
    { text: "two", start: 2, end: 3 },
    { text: "three", start: 3, end: 4 },
    { text: "abcxyzabc", start: 4, end: 5 },
  ]);
  expect([lostWords, length, ids.data[5]]).toEqual([["abcxyzabc", "four"], 6, 49407]);
  const exact = tokenizer.encode("one two three four");
  expect([exact.lostWords, exact.length]).toEqual([[], 6]);
});

test("only words are named as lost, not the white space around them", () => {
  const tokenizer = new ClipTokenizer(clip, { model_max_length: 4 });
  const { lostWords, words } = tokenizer.encode("one two  three\u0085\u3000four \t ");
  expect([words.map((w) => w.text), lostWords]).toEqual([
    ["one", "two"],
    ["three", "four"],
  ]);
});

test.each([
  "a",
  "aab",
  "thinkbigsundaywithmarsha",
  "!",
  "'s",
  "7",
  "狗",
  "🐕",
  "😂",
  "e\u0323\u0301",
  "ᾳ\u0313\u0300",
  "K",
  "\ufeff",
])("the first tokens of a word do not depend on the room for it: %j", (part) => {
  const all = new ClipTokenizer(clip, { model_max_length: 10_000 });
  const some = new ClipTokenizer(clip);
  for (const word of [part.repeat(8000 / part.length), `x${part.repeat(8000 / part.length)}`]) {
    const { ids, words, lostWords } = some.encode(`a dog, ${word} here`);
    expect([...ids.data.slice(0, 76)]).toEqual([...all.encode(`a dog, ${word} here`).ids.data.slice(0, 76)]);
    expect([words.at(-1), lostWords]).toEqual([{ text: word, start: 4, end: 76 }, [word, "here"]]);
  }
});

test("a prompt of 100,000 characters takes no longer than a full row; a longer one is refused", () => {
  const tokenizer = new ClipTokenizer(clip);
  for (const [prompt, lost] of [
    ["a".repeat(100_000), 1],
    ["a ".repeat(50_000), 50_000 - 75],
    [" ".repeat(100_000), 0],
    ["🐕".repeat(50_000), 1],
  ] as const) {
    const start = performance.now();
    expect(tokenizer.encode(prompt).lostWords).toHaveLength(lost);
    expect(performance.now() - start).toBeLessThan(1000);
    const refused = () => tokenizer.encode(`${prompt}!`);
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(
      /the prompt is too long: found 100001 characters, from ".{20,80}" on, expected at most 100000/,
    );
  }
});

test("tokenizer.json, vocab.json with merges.txt, and the shipped vocabulary give the same ids", async () => {
  const model = {
    type: "BPE",
    end_of_word_suffix: "</w>",
    vocab: Object.fromEntries(clip.ids),
    merges: clip.merges.map((pair) => pair.join(" ")),
  };
  const merges = text("merges.txt", `#version: 0.2\n${model.merges.join("\n")}\n`);
  const shipped = () => openPackageFile(CLIP_MERGES);
  const config = { model_max_length: 1e30 };
  const forms = [
    { config },
    { config, vocabulary: { json: json("tokenizer.json", { model }) } },
    { config, vocabulary: { vocab: json("vocab.json", model.vocab), merges } },
  ];
  for (const form of forms) {
    const tokenizer = await loadTokenizer(form, { shipped, maxLength: 9 });
    expect([...tokenizer.encode("A dog's café 2x").ids.data]).toEqual([
      49406, 320, 1929, 568, 15304, 273, 343, 49407, 49407,
    ]);
  }
});

test("a small vocabulary spells unknown words byte by byte", async () => {
  const small = await readVocabulary(text("merges.txt", "#version: 0.2\nd o\ndo g</w>\n"));
  const tokenizer = new ClipTokenizer(small, { model_max_length: 16 });
  const { words } = tokenizer.encode("dog ünknown 狗");
  expect(words.map(({ start, end }) => end - start)).toEqual([1, 8, 3]);
});

test("a token that was added to the vocabulary is one token", () => {
  const added_tokens_decoder = { "49408": { content: "<my-cat>" } };
  const { ids, length } = new ClipTokenizer(clip, { added_tokens_decoder }).encode("a <my-cat>");
  expect([...ids.data.slice(0, length)]).toEqual([49406, 320, 49408, 49407]);
});

const merges = "#version: 0.2\nd o\n";
const build = (config: Config) => async () => new ClipTokenizer(clip, config, "tokenizer_config.json");
const vocab = (value: unknown) => () => readVocabulary(text("merges.txt", merges), json("vocab.json", value));
const tokenizerJson = (value: unknown) => () =>
  loadTokenizer(
    { config: {}, vocabulary: { json: json("tokenizer.json", value) } },
    { shipped: () => openPackageFile(CLIP_MERGES) },
  );
const endless = (name: string): ByteSource => ({
  name,
  size: 5e9,
  read: () => Promise.reject(new Error("was read")),
});
const marked = { toString: 1 };
test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    "endless merges",
    () => readVocabulary(endless("m.txt")),
    /m.txt: the file is too long: found 5000000000 bytes, expected at most/,
  ],
  [
    "an endless vocabulary",
    () => readVocabulary(text("m.txt", merges), endless("vocab.json")),
    /vocab.json: the file is too long: found 5000000000 bytes/,
  ],
  [
    "an endless tokenizer.json",
    () => readTokenizerJson(endless("tokenizer.json")),
    /tokenizer.json: the file is too long: found 5000000000 bytes/,
  ],
  [
    "a merge that is an object",
    tokenizerJson({ model: { type: "BPE", end_of_word_suffix: "</w>", vocab: { a: 0 }, merges: [marked] } }),
    /merge 1: found {"toString":1}/,
  ],
  [
    "a merge of objects",
    tokenizerJson({ model: { type: "BPE", end_of_word_suffix: "</w>", vocab: { a: 0 }, merges: [[marked, marked]] } }),
    /merge 1: found \[{"toString":1},{"toString":1}\]/,
  ],
  ["a class that is an object", build({ tokenizer_class: marked }), /tokenizer_class: found {"toString":1}/],
  ["a length that is an object", build({ model_max_length: marked }), /model_max_length: found {"toString":1}/],
  [
    "a marker of objects",
    build({ eos_token: { content: marked } }),
    /eos_token: found {"content":{.*, expected a token/,
  ],
  [
    "a Git LFS pointer in place of merges",
    () => readVocabulary(text("m.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 524619\n")),
    /m\.txt: this is a Git LFS pointer, a placeholder for the real file/,
  ],
  ["a merge of one piece", () => readVocabulary(text("m.txt", "d o\ndog\n")), /m.txt: merge 2: found "dog"/],
  ["a merge of unknown pieces", () => readVocabulary(text("m.txt", "q u\nxx yy\n")), /merge 2: found "xx yy"/],
  ["merges that are not text", () => readVocabulary(memorySource("m.txt", Uint8Array.of(0xff, 0xfe))), /merge 1/],
  ["a vocabulary without the merges' pieces", vocab({ d: 0, o: 1 }), /merges.txt: merge 1: found "d o"/],
  ["an id that is no number", vocab({ d: "0" }), /vocab.json: the id of "d": found "0"/],
  ["an id given twice", vocab({ d: 4, o: 4 }), /the id of "o": found 4, expected a number of its own/],
  ["a vocabulary that is a list", vocab(["d"]), /vocab.json: not a JSON object/],
  [
    "another tokenizer's json",
    tokenizerJson({ model: { type: "WordPiece" } }),
    /another kind of tokenizer: found "Word/,
  ],
  ["a tokenizer.json without a model", tokenizerJson({}), /another kind of tokenizer: found no model/],
  [
    "another class",
    build({ tokenizer_class: "T5Tokenizer" }),
    /tokenizer_class: found "T5Tokenizer", expected CLIPTok/,
  ],
  ["a length without room", build({ model_max_length: 1 }), /model_max_length: found 1, expected 2 or more/],
  ["a marker that is no text", build({ eos_token: 7 }), /eos_token: found 7, expected a token: text without a space/],
  ["an added token with a space", build({ added_tokens_decoder: { 1: { content: "a b" } } }), /text without a space/],
  [
    "an added token without an id",
    build({ added_tokens_decoder: { x: {} } }),
    /added_tokens_decoder.x: found {}, expected a token/,
  ],
  [
    "an added token whose id is no number",
    build({ added_tokens_decoder: { x: { content: "<cat>" } } }),
    /added_tokens_decoder.x: found {"content":"<cat>"}, expected a token's id as its key/,
  ],
  [
    "added tokens that are a list",
    build({ added_tokens_decoder: 3 }),
    /added_tokens_decoder: found 3, expected an object of ids and tokens/,
  ],
])("%s is refused, with the place and the reason", async (_, make, message) => {
  const error = await make().then(
    () => "no error",
    (e) => e,
  );
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toMatch(message);
});

test("a word is found at all its tokens, beside punctuation and contractions, and never within another word", () => {
  const tokenizer = new ClipTokenizer(clip);
  const at = (prompt: string, word: string): number[] => tokenizer.positionsOf(prompt, word);
  expect(at("a dog, a cat and a dog's hotdog", "dog")).toEqual([2, 8]);
  expect(at("a dog, a cat and a dog's hotdog", "Dog")).toEqual([2, 8]);
  expect(at("a dog lying down", "lying down")).toEqual([3, 4]);
  expect(at("a dog lying down", "down lying")).toEqual([]);
  expect(at("a dog lying down", "")).toEqual([]);
  const { length } = tokenizer.encode("giraffosaurus");
  expect(length).toBeGreaterThan(3);
  expect(at("one giraffosaurus", "giraffosaurus")).toEqual(Array.from({ length: length - 2 }, (_, k) => 2 + k));
  expect(at("glass", "ass")).toEqual([]);
  // Cut off by the token limit, in whole or in part.
  expect(at(`${"a ".repeat(75)}dog`, "dog")).toEqual([]);
  expect(at(`${"a ".repeat(74)}giraffosaurus`, "giraffosaurus")).toEqual([]);
});

test("a learnt word is found by its own token, whatever stands beside it", () => {
  const config = { additional_special_tokens: ["<cat-toy>"] };
  const tokenizer = new ClipTokenizer(clip, config);
  expect(tokenizer.positionsOf("a <cat-toy>, red", "<cat-toy>")).toEqual([2]);
  expect(tokenizer.positionsOf("a <cat-toy>dog", "dog")).toEqual([3]);
});
