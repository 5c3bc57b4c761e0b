import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generate, type Model, modelHash, promptWarnings, unknownWordsWarning } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { baret } from "../../src/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";

const size = { width: 64, height: 64 };
const words = { words: ["a", "dog", "cat", "lying", "down"], nearest: { purple: ["brown", "grey"] } };
let folder: string;
let plain: Model;
let listing: Model;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "baret-words-"));
  await cp(fixturePath("tiny-sd1"), folder, { recursive: true });
  await writeFile(join(folder, "words.json"), JSON.stringify(words));
  [plain, listing] = [await tinyModel("tiny-sd1"), await loadModel(folder, { threads: 1 })];
});
afterAll(async () => {
  await Promise.all([plain.close(), listing.close()]);
  await rm(folder, { recursive: true });
});

test("a model that lists its words warns of others, with the nearest, in one line; one that does not never warns", () => {
  const prompts = ["a purple dog", "a Dogg lying down", "a purple cat", "a dog"];
  expect(promptWarnings(plain, prompts)).toEqual([]);
  const [warning, ...more] = promptWarnings(listing, prompts);
  expect(more).toEqual([]);
  expect(warning).toEqual({
    code: "unknown-words",
    message: expect.stringMatching(
      /was not trained on "purple" \(nearest known: brown, grey\), "dogg" \(nearest known: dog\): such words have no effect, or a random one$/,
    ),
    details: { words: { purple: ["brown", "grey"], dogg: ["dog"] } },
  });
  expect(promptWarnings(listing, ["", "a dog lying down"])).toEqual([]);
});

test("the list changes no bit of what a model computes: its hash is the same", async () => {
  expect(await modelHash(listing)).toBe(await modelHash(plain));
});

test("of words that are cut off only the cut is told", () => {
  const [only, ...more] = promptWarnings(listing, [`${"a ".repeat(100)} elephant`]);
  expect(only.code).toBe("cut-prompt");
  expect(more).toEqual([]);
});

test("the warning is one short line, however many and long the words are", () => {
  const word = "b".repeat(1_000_000);
  const unknown = Array.from({ length: 1000 }, (_, k) => ({
    word: `${k}${word}`,
    nearest: Array<string>(100).fill(word),
  }));
  const { message, details } = unknownWordsWarning("m".repeat(5000), unknown);
  expect(message).toMatch(/, 994 more: such words/);
  expect(message).not.toContain("\n");
  expect(message.length).toBeLessThan(4000);
  expect(Object.keys(details?.words ?? {})).toHaveLength(6);
});

test("the library's edits and generated pictures have the warning", async () => {
  const options = { target: "a dog lying down", steps: 1, iterations: 0, size, cache: false } as const;
  const codes = async (more: object) =>
    (await baret.prepare(listing, smoothPicture(1), { ...options, ...more })).warnings.map(({ code }) => code);
  expect(await codes({})).not.toContain("unknown-words");
  expect(await codes({ target: "an elephant" })).toContain("unknown-words");
  expect(await codes({ inversionPrompt: "an elephant" })).toContain("unknown-words");
  const made = await generate(listing, ["a dog", "an elephant"], { steps: 1, size });
  expect(made.map(({ warnings }) => warnings.map(({ code }) => code))).toEqual([[], ["unknown-words"]]);
  const [negative] = await generate(listing, ["a dog"], { steps: 1, size, negative: "rain" });
  expect(negative.warnings[0].message).toContain('"rain"');
});
