import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import { openPackageFile } from "../../src/storage/node/index.ts";
import { CLIP_MERGES, type ClipTokenizer, loadTokenizer } from "../../src/text/index.ts";
import { readTokenizerFiles } from "../../src/weights/diffusers.ts";
import { folder } from "../weights/helpers.ts";

/** Ids of transformers' CLIPTokenizer; tools/parity/added.py wrote them. `files` replace the Menagerie's; null removes one. */
interface Case {
  files: Record<string, object | null>;
  pad: number;
  prompts: [string, number[]][];
}
const cases: Record<string, Case> = JSON.parse(readFileSync(new URL("fixtures/added.json", import.meta.url), "utf8"));

const menagerie = fileURLToPath(new URL("../../checkpoints/menagerie/tokenizer", import.meta.url));
const names = ["merges.txt", "vocab.json", "tokenizer_config.json", "special_tokens_map.json"];
const original = Object.fromEntries(names.map((name) => [name, readFileSync(`${menagerie}/${name}`, "utf8")]));
const config = JSON.parse(original["tokenizer_config.json"]);

/** The Menagerie's tokenizer with some of its files replaced. */
async function load(files: Case["files"]): Promise<ClipTokenizer> {
  const kept = Object.entries({ ...original, ...files }).filter(
    (file): file is [string, object | string] => file[1] !== null,
  );
  const found = await readTokenizerFiles(folder("tokenizer", Object.fromEntries(kept)));
  return loadTokenizer(found, { shipped: () => openPackageFile(CLIP_MERGES) });
}

/** Ids of a prompt, without padding. */
function idsOf(tokenizer: ClipTokenizer, prompt: string): number[] {
  const { ids, length } = tokenizer.encode(prompt);
  return [...ids.data.slice(0, length)];
}

test.each(Object.entries(cases))(
  "words added by %s have the ids of transformers",
  async (_, { files, pad, prompts }) => {
    const tokenizer = await load(files);
    expect(tokenizer.pad).toBe(pad);
    expect(prompts.map(([prompt]) => [prompt, idsOf(tokenizer, prompt)])).toEqual(prompts);
  },
);

test("an added word has the id of its file, also if lower ids are free", async () => {
  const tokenizer = await load({ "added_tokens.json": { "<my-cat>": 720 } });
  expect(idsOf(tokenizer, "<my-cat>")).toEqual([707, 720, 708]);
  expect(tokenizer.vocabularySize).toBe(721);
});

test("a word that was learnt with several tokens becomes all of them, and stays one word", async () => {
  const tokenizer = await load({
    "added_tokens.json": { "<cat>": 709, "<cat>_1": 710, "<cat>_2": 711, "<dog>": 712, "<dog>_2": 713 },
  });
  expect(idsOf(tokenizer, "<cat>")).toEqual([707, 709, 710, 711, 708]);
  expect(idsOf(tokenizer, "<cat>_1 <dog>")).toEqual([707, 710, 712, 708]);
  const { words, lostWords } = tokenizer.encode("a <cat> sits");
  expect(words.slice(0, 2)).toEqual([
    { text: "a", start: 1, end: 2 },
    { text: "<cat>", start: 2, end: 5 },
  ]);
  expect(lostWords).toEqual([]);
  expect(tokenizer.encode("<cat> ".repeat(11)).lostWords).toEqual(["<cat>"]);
});

const decoder = (tokens: object) => ({ "tokenizer_config.json": { ...config, added_tokens_decoder: tokens } });
test.each<[string, Case["files"], string[]]>([
  [
    "one word with two ids",
    { ...decoder({ 709: { content: "<cat>" } }), "added_tokens.json": { "<cat>": 710 } },
    [`"<cat>": id 710 in tokenizer/added_tokens.json, id 709 in tokenizer, added_tokens_decoder`],
  ],
  [
    "one id with two words",
    { ...decoder({ 709: { content: "<cat>" } }), "added_tokens.json": { "<dog>": 709 } },
    [`id 709: "<dog>" in tokenizer/added_tokens.json, "<cat>" in tokenizer, added_tokens_decoder`],
  ],
  [
    "the id of a piece of the vocabulary, and a piece with another id",
    { "added_tokens.json": { "<cat>": 5, "!": 709 } },
    [
      `id 5: "<cat>" in tokenizer/added_tokens.json, "&" in the vocabulary`,
      `"!": id 709 in tokenizer/added_tokens.json, id 0 in the vocabulary`,
    ],
  ],
  [
    "a conflict between tokenizer.json and added_tokens.json",
    { "tokenizer.json": { added_tokens: [{ id: 709, content: "<cat>" }] }, "added_tokens.json": { "<cat>": 710 } },
    [`"<cat>": id 710 in tokenizer/added_tokens.json, id 709 in tokenizer/tokenizer.json, added_tokens`],
  ],
  [
    "ids that are no numbers",
    { "added_tokens.json": { "<cat>": "709" } },
    [`<cat>: found "709", expected a whole number in`],
  ],
  ["a negative id", { "added_tokens.json": { "<cat>": -1 } }, ["<cat>: found -1, expected a whole number in"]],
  [
    "added tokens without an id",
    { "tokenizer.json": { added_tokens: [{ content: "<cat>" }] } },
    ["added_tokens.0.id: found nothing, expected a whole number"],
  ],
  [
    "added tokens that are no list",
    { "tokenizer.json": { added_tokens: 7 } },
    ["added_tokens: found 7, expected a list"],
  ],
  [
    "an added token with a space",
    { "added_tokens.json": { "my cat": 709 } },
    ["my cat: found 709, a token must not hold a space"],
  ],
  [
    "special tokens that are no list",
    { "special_tokens_map.json": { additional_special_tokens: "<cat>" } },
    ['additional_special_tokens: found "<cat>", expected a list of tokens'],
  ],
])("a tokenizer with %s is refused, with the file and the token", async (_, files, lines) => {
  const error = await load(files).then(
    () => "no error",
    (e) => e,
  );
  expect(error).toBeInstanceOf(CheckpointError);
  for (const line of lines) expect(error.message).toContain(line);
});

test("many conflicts are counted, and the first ones listed", async () => {
  const many = Object.fromEntries(Array.from({ length: 600 }, (_, k) => [`<w${k}>`, k]));
  const error: Error = await load({ "added_tokens.json": many }).then(
    () => new Error("no error"),
    (e) => e,
  );
  expect(error.message).toContain("... and 580 more");
  expect(error.message.split("\n").length).toBeLessThan(25);
});
