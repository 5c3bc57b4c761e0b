import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPngText } from "../../src/image/index.ts";
import { decodeImage, encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { Workplace } from "../support/cli.ts";
import { fixturePath } from "../support/files.ts";

const here = new Workplace();
afterAll(here.remove);
const model = ["--model", fixturePath("tiny-sd1"), "--size", "64", "--steps", "4"];
const quick = [...model, "--iterations", "1"];

beforeAll(async () => {
  writeFileSync(here.path("photo.png"), await encodePng(smoothPicture(1)));
});

test("the sheet has the photo and a map for each word; figures and the observed picture are printed", async () => {
  const words = ["--word", "dog,lying down", "--word", "a"];
  const made = await here.baret(["attention", "photo.png", "a dog lying down", ...quick, ...words, "-o", "m.png"]);
  expect(made.code).toBe(0);
  expect(made.stdout).toMatch(/^m\.png {2}attention of reconstruction, by baret: a dog lying down$/m);
  expect(made.stdout).toMatch(/^word +tokens +average +highest +centre \(x, y\) +highest at$/m);
  expect(made.stdout).toMatch(/^lying down +3 4 +\d+\.\d % +\d+\.\d % +0\.\d\d, 0\.\d\d +0\.\d\d, 0\.\d\d$/m);
  const sheet = await decodeImage(here.path("m.png"));
  // Four cells in a row.
  expect(sheet.width).toBeGreaterThan(4 * 256);
  expect(sheet.height).toBeLessThan(2 * 256);
  expect(JSON.parse(readPngText(readFileSync(here.path("m.png"))).baret)).toMatchObject({
    command: "attention",
    settings: { of: "reconstruction", words: ["dog", "lying down", "a"] },
  });
});

test("--json gives the figures, also of a prepared photo and of another picture", async () => {
  const prepared = await here.inProcess(["invert", "photo.png", "a dog", ...quick, "-o", "p.safetensors", "--quiet"]);
  expect(prepared.code).toBe(0);
  const args = ["attention", "p.safetensors", "--model", fixturePath("tiny-sd1"), "--of", "edit", "--json"];
  const made = await here.inProcess([...args, "-o", "e.png"]);
  expect(made.code).toBe(0);
  const { of, prompt, steps, words, file } = JSON.parse(made.stdout);
  expect({ of, prompt, steps, file }).toEqual({ of: "edit", prompt: "a dog", steps: 4, file: "e.png" });
  expect(words.map(({ word }: { word: string }) => word)).toEqual(["a", "dog"]);
  for (const { tokens, mean, max, centre, peak } of words) {
    expect(tokens).toHaveLength(1);
    expect(mean).toBeGreaterThan(0);
    expect(max).toBeGreaterThanOrEqual(mean);
    for (const at of [centre.x, centre.y, peak.x, peak.y]) expect(at).toBeGreaterThan(0);
  }
});

test("plain observes DDIM inversion by default", async () => {
  const args = ["attention", "photo.png", "a dog", "--method", "plain", ...model, "--word", "dog", "-o", "i.png"];
  const made = await here.inProcess(args);
  expect(made.code).toBe(0);
  expect(made.stdout).toContain("attention of inversion, by plain");
});

test.each([
  ["a word that is not in the prompt", ["--word", "cat"], /no such word: found "cat", expected some of a, dog\./],
  [
    "a picture that the method does not have",
    ["--of", "photo"],
    /of: no such picture of baret: found "photo", expected /,
  ],
  ["a resolution that is not a number", ["--resolution", "all"], /--resolution: found "all", expected a whole number/],
  ["an output that is the photo", ["-o", "photo.png"], /would replace photo\.png/],
])("%s is refused before the photo is prepared", async (_, more, message) => {
  const made = await here.inProcess(["attention", "photo.png", "a dog", ...quick, ...more]);
  expect(made).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  expect(made.stderr).not.toMatch(/^(invert|tune) /m);
});
