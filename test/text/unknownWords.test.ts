import { expect, test } from "vitest";
import { editDistance, unknownWords } from "../../src/text/index.ts";
import { parseKnownWords } from "../../src/weights/index.ts";

const known = parseKnownWords(
  {
    words: ["a", "dog", "cat", "cow", "Grass", "giraffe", "sitting", "on", "the", "drawing"],
    nearest: { sand: ["on the grass"], cap: ["drawing"] },
  },
  "words.json",
);
const unknown = (text: string): [string, readonly string[]][] =>
  unknownWords(text, known).map(({ word, nearest }) => [word, nearest]);

test("known words are known in any case, with punctuation, and as possessives", () => {
  expect(unknown("A dog, the DOG's grass: (a cat) on grass!")).toEqual([]);
  expect(unknown("")).toEqual([]);
});

test("an unknown word is named once, with its nearest word by meaning, or else by spelling", () => {
  expect(unknown("sand on Sand")).toEqual([["sand", ["on the grass"]]]);
  expect(unknown("a cap")).toEqual([["cap", ["drawing"]]]);
  expect(unknown("dogs girafe sittng elephant")).toEqual([
    ["dogs", ["dog"]],
    ["girafe", ["giraffe"]],
    ["sittng", ["sitting"]],
    ["elephant", []],
  ]);
  // Equally near ones in alphabetical order; words of one or two letters are near to none.
  expect(unknown("cot at")).toEqual([
    ["cot", ["cat", "cow"]],
    ["at", []],
  ]);
});

test("words of other scripts, numbers and contractions count as words", () => {
  expect(unknown("собака 2 don't").map(([word]) => word)).toEqual(["собака", "2", "don't"]);
});

test("the edit distance counts letters that are added, left out, replaced or swapped", () => {
  const cases: [string, string, number][] = [
    ["", "abc", 3],
    ["dog", "dog", 0],
    ["dog", "dogs", 1],
    ["dog", "dig", 1],
    ["dog", "dgo", 1],
    ["kitten", "sitting", 3],
    ["ca", "abc", 3],
  ];
  for (const [a, b, distance] of cases) {
    expect(editDistance(a, b), `${a} ${b}`).toBe(distance);
    expect(editDistance(b, a), `${b} ${a}`).toBe(distance);
  }
});
