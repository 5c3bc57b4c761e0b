import { expect, test } from "vitest";
import { Random, UsageError } from "../../src/core/index.ts";
import {
  ANIMALS,
  COLOURS,
  EXPRESSIONS,
  isHeldOutScene,
  PLACES,
  POSES,
  parseScene,
  posesOf,
  type Scene,
  SPLITS,
  sampleScene,
} from "../../src/world/index.ts";
import { scene, splitOf } from "./scenes.ts";

/** Every combination of animal, pose and colour. */
const combinations = ANIMALS.flatMap((animal) =>
  posesOf(animal).flatMap((pose) => COLOURS.map((colour) => scene({ animal, pose, colour }))),
);

const sample = (split: (typeof SPLITS)[number], count: number, seed = 1): Scene[] => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => sampleScene(random, { split }));
};
const train = sample("train", 20_000);

test("training never shows a combination that is held out", () => {
  expect(train.filter(isHeldOutScene)).toEqual([]);
});

test("about a tenth is held out, at most one for any two values, and training shows everything else", () => {
  const held = combinations.filter(isHeldOutScene);
  expect(held).toHaveLength(14);
  for (const two of [
    ["animal", "pose"],
    ["animal", "colour"],
    ["pose", "colour"],
  ] as const) {
    expect(new Set(held.map((c) => `${c[two[0]]} ${c[two[1]]}`)).size).toBe(held.length);
  }
  const seen = new Set(train.filter((s) => s.framing === "whole body").map((s) => `${s.animal} ${s.pose} ${s.colour}`));
  expect(seen.size).toBe(combinations.length - held.length);
});

test("held-out scenes can be sampled, but not for training", () => {
  const random = new Random(2);
  const scenes = Array.from({ length: 200 }, () =>
    sampleScene(random, { split: "validation", combinations: "held out" }),
  );
  expect(scenes.every(isHeldOutScene)).toBe(true);
  expect(() => sampleScene(random, { split: "train", combinations: "held out" })).toThrow(UsageError);
});

test("portraits alone can be sampled, with every expression; no portrait is held out", () => {
  const random = new Random(3);
  const scenes = Array.from({ length: 200 }, () => sampleScene(random, { split: "train", portraits: true }));
  expect(scenes.every((scene) => scene.framing === "portrait" && scene.style === "photo")).toBe(true);
  expect(new Set(scenes.map((scene) => scene.expression))).toEqual(new Set(EXPRESSIONS));
  const both = { split: "validation", combinations: "held out", portraits: true } as const;
  expect(() => sampleScene(random, both)).toThrow(/no portrait is a held-out combination/);
});

test("no seed belongs to two splits, and every sampled scene is valid and belongs to its split", () => {
  for (const split of SPLITS) {
    for (const scene of sample(split, 1000)) {
      expect(splitOf(scene)).toBe(split);
      expect(parseScene(scene)).toEqual(scene);
    }
  }
  expect(splitOf(scene({ viewSeed: 0, bodySeed: 1 }))).toBeUndefined();
});

test("kinds of scene have their shares, and no animal, pose, colour or place is rare", () => {
  const share = (is: (scene: Scene) => boolean): number => train.filter(is).length / train.length;
  expect(share((s) => s.framing === "portrait")).toBeCloseTo(0.09, 2);
  expect(share((s) => s.style !== "photo")).toBeCloseTo(0.09, 2);
  expect(share((s) => s.framing === "whole body" && (s.wearing !== null || s.beside !== null))).toBeCloseTo(0.12, 2);
  for (const animal of ANIMALS) expect(share((s) => s.animal === animal)).toBeGreaterThan(0.14);
  for (const pose of POSES) expect(share((s) => s.pose === pose)).toBeGreaterThan(0.07);
  for (const colour of COLOURS) expect(share((s) => s.colour === colour)).toBeGreaterThan(0.14);
  for (const place of PLACES) expect(share((s) => s.place === place)).toBeGreaterThan(0.17);
});
