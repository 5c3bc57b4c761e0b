import { expect, test } from "vitest";
import { SceneError } from "../../src/core/index.ts";
import { ANIMALS, attributes, parseScene, posesOf, render, type Scene } from "../../src/world/index.ts";
import { scene } from "./scenes.ts";

function problems(value: unknown): string[] {
  try {
    parseScene(value, "scene.json");
  } catch (error) {
    if (error instanceof SceneError) return error.message.split("\n").slice(1);
    throw error;
  }
  return [];
}

test("an animal alone is a scene: all else has defaults, and parsing again changes nothing", () => {
  for (const animal of ANIMALS) {
    const parsed = parseScene({ animal });
    expect(parsed).toMatchObject({ animal, pose: posesOf(animal)[0], framing: "whole body", style: "photo" });
    expect(parseScene(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
  }
});

test.each<{ name: string; value: unknown; says: RegExp }>([
  { name: "an unknown animal", value: { animal: "unicorn" }, says: /animal: .*"dog".*"bird"/ },
  { name: "no animal", value: {}, says: /animal/ },
  {
    name: "a cat with spread wings",
    value: { animal: "cat", pose: "spreading its wings" },
    says: /pose: a cat cannot/,
  },
  { name: "a sitting bird", value: { animal: "bird", pose: "sitting" }, says: /pose: a bird cannot be "sitting"/ },
  { name: "an unknown colour", value: { animal: "dog", colour: "pink" }, says: /colour: .*"brown"/ },
  { name: "an unknown place", value: { animal: "dog", place: "moon" }, says: /place: .*"grass"/ },
  { name: "an unknown thing", value: { animal: "dog", wearing: "red shoe" }, says: /wearing/ },
  { name: "a smile on a whole body", value: { animal: "dog", expression: "smiling" }, says: /only a portrait/ },
  { name: "a jumping portrait", value: { animal: "dog", framing: "portrait", pose: "jumping" }, says: /shows no pose/ },
  { name: "a ball in a portrait", value: { animal: "dog", framing: "portrait", beside: "red ball" }, says: /beside/ },
  { name: "a negative seed", value: { animal: "dog", viewSeed: -1 }, says: /viewSeed/ },
  { name: "a seed of more than 32 bits", value: { animal: "dog", bodySeed: 2 ** 32 }, says: /bodySeed/ },
  { name: "a broken seed", value: { animal: "dog", bodySeed: 1.5 }, says: /bodySeed/ },
  { name: "a misspelt key", value: { animal: "dog", color: "brown" }, says: /color/ },
  { name: "a list", value: [1, 2], says: /object/ },
  { name: "null", value: null, says: /object/ },
])("$name is no scene", ({ value, says }) => {
  const found = problems(value);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(says);
  expect(() => parseScene(value, "scene.json")).toThrow(/^scene\.json: not a scene/);
});

test("a scene's attributes are those that its picture can show", () => {
  expect(attributes(scene({ animal: "cow", wearing: "red hat", style: "watercolour", facing: "left" }))).toEqual({
    animal: "cow",
    pose: "standing",
    colour: "brown",
    place: "grass",
    style: "watercolour",
    framing: "whole body",
    expression: null,
    wearing: "red hat",
    beside: "nothing",
    facing: "left",
  });
  expect(attributes(scene({ framing: "portrait", expression: "smiling" }))).toMatchObject({
    pose: null,
    expression: "smiling",
    wearing: "nothing",
    beside: null,
  });
});

test("one error lists all problems of a scene", () => {
  const found = problems({ animal: "cat", pose: "wings folded", colour: "pink", expression: "smiling", viewSeed: -2 });
  expect(found).toHaveLength(4);
  for (const key of ["pose", "colour", "expression", "viewSeed"]) expect(found.join("\n")).toContain(key);
});

test("render refuses an invalid scene or size", () => {
  expect(() => render({ ...scene(), animal: "ant" } as unknown as Scene, 16)).toThrow(SceneError);
  for (const size of [0, -1, 7, 12.5, Number.NaN, 4096])
    expect(() => render(scene(), size)).toThrow(/size: .*8 to 2048/);
});

test.each([0, 3, "2", null, 1.5])("edition %j is refused, and the error names the editions", (edition) => {
  const found = problems({ animal: "dog", edition });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/edition: .*1\|2/);
});
