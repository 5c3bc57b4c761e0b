import { describe, expect, test } from "vitest";
import { CheckpointError, Random } from "../../src/core/index.ts";
import {
  ANIMALS,
  attributes,
  BESIDE,
  COLOURS,
  caption,
  EXPRESSIONS,
  FACINGS,
  FRAMINGS,
  likeliestScene,
  PLACES,
  POSES,
  type Scene,
  type Scores,
  STYLES,
  sampleScene,
  WORN,
} from "../../src/world/index.ts";
import { scene } from "./scenes.ts";

const values = {
  animal: ANIMALS,
  pose: POSES,
  colour: COLOURS,
  place: PLACES,
  wearing: [...WORN, "nothing"],
  beside: [...BESIDE, "nothing"],
  style: STYLES,
  facing: FACINGS,
  framing: FRAMINGS,
  expression: EXPRESSIONS,
} as const;

/** Scores of a judge that is right about everything that the picture shows, and arbitrary about the rest. */
function scoresOf(one: Scene, random: Random): Record<string, Record<string, number>> {
  const truth: Readonly<Record<string, string | null>> = { ...attributes(one) };
  const scores = Object.entries(values).map(([attribute, names]) => [
    attribute,
    Object.fromEntries(names.map((name) => [name, name === truth[attribute] ? 1 : random.uniform()])),
  ]);
  return Object.fromEntries(scores);
}

test("the scene of a right judge has the caption of the true scene, also where a picture cannot show an attribute", () => {
  const random = new Random(7);
  for (let k = 0; k < 500; k++) {
    const one = sampleScene(random, { split: "validation" });
    const found = likeliestScene(scoresOf(one, random));
    expect(caption(found)).toBe(caption(one));
    expect(found.facing).toBe(one.facing);
  }
});

test("of a pose that the animal cannot have, the best one that it can have is taken", () => {
  const scores = scoresOf(scene({ animal: "dog" }), new Random(1));
  scores.pose = { ...scores.pose, "wings folded": 0.9, "lying down": 0.5, standing: 0.1, sitting: 0.2, jumping: 0.3 };
  expect(likeliestScene(scores).pose).toBe("lying down");
});

describe("a judge of another world", () => {
  const own = scoresOf(scene(), new Random(1));
  const { place: _, ...placeless } = own;
  const { dog: _dog, ...animals } = own.animal;
  test.each<[string, Scores, RegExp]>([
    ["without an attribute", placeless, /^my judge: .*no scores for\n {2}place: grass, beach, snow/],
    ["without a value", { ...own, animal: animals }, /no scores for\n {2}animal: dog\.$/],
    ["without anything", {}, /animal: .*\n {2}pose: /],
  ])("%s is refused with what is missing", (_name, scores, message) => {
    expect(() => likeliestScene(scores, "my judge")).toThrow(CheckpointError);
    expect(() => likeliestScene(scores, "my judge")).toThrow(message);
  });
});
