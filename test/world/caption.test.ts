import { expect, test } from "vitest";
import { Random } from "../../src/core/index.ts";
import { caption, captions, type Scene, sampleScene, vocabulary } from "../../src/world/index.ts";
import { scene } from "./scenes.ts";

test.each<[Partial<Scene>, string]>([
  [{ pose: "lying down" }, "a brown dog lying down on the grass"],
  [{ colour: "orange", place: "room" }, "an orange dog standing in a room"],
  [{ animal: "bird", pose: "wings folded", place: "beach" }, "a brown bird with folded wings on the beach"],
  [{ animal: "bird", pose: "spreading its wings", place: "snow" }, "a brown bird spreading its wings in the snow"],
  [{ wearing: "red hat" }, "a brown dog wearing a red hat standing on the grass"],
  [{ beside: "blue ball", place: "stone floor" }, "a brown dog standing with a blue ball on a stone floor"],
  [{ style: "pencil drawing" }, "a pencil drawing of a brown dog standing on the grass"],
  [{ style: "watercolour", colour: "orange" }, "a watercolour of an orange dog standing on the grass"],
  [{ framing: "portrait", animal: "cat", colour: "white" }, "the head of a white cat on the grass"],
  [{ framing: "portrait", expression: "smiling" }, "the head of a brown dog smiling on the grass"],
  [{ framing: "portrait", expression: "eyes closed" }, "the head of a brown dog with closed eyes on the grass"],
])("the canonical caption of %o", (fields, expected) => {
  expect(caption(scene(fields))).toBe(expected);
});

test("sampled captions are lower-case words of the vocabulary with single spaces, and every word occurs", () => {
  const words = vocabulary();
  const known = new Set(words);
  const random = new Random(3);
  const used = new Set<string>();
  for (let i = 0; i < 4000; i++) {
    for (const one of captions(sampleScene(random, { split: "train" }), 3, random)) {
      expect(one).toMatch(/^[a-z]+( [a-z]+)*$/);
      expect(one).not.toMatch(/\ba [aeiou]|\ban [^aeiou]/);
      for (const word of one.split(" ")) used.add(word);
    }
  }
  expect([...used].filter((word) => !known.has(word))).toEqual([]);
  expect(words.filter((word) => !used.has(word))).toEqual([]);
});

test("colour, pose, place and facing are left out with their probabilities", () => {
  const random = new Random(4);
  const n = 4000;
  const share = (word: RegExp): number => {
    let hits = 0;
    for (let i = 0; i < n; i++) if (word.test(caption(scene({ pose: "jumping", facing: "left" }), random))) hits++;
    return hits / n;
  };
  expect(share(/brown/)).toBeCloseTo(0.8, 1);
  expect(share(/jumping/)).toBeCloseTo(0.9, 1);
  expect(share(/grass/)).toBeCloseTo(0.8, 1);
  expect(share(/facing left/)).toBeCloseTo(0.3, 1);
});

test("the first of several captions is the canonical one, and a seed reproduces all of them", () => {
  const first = captions(scene(), 8, new Random(1));
  expect(first).toHaveLength(8);
  expect(first[0]).toBe(caption(scene()));
  expect(captions(scene(), 8, new Random(1))).toEqual(first);
});
