import { type Random, UsageError } from "../core/index.ts";
import {
  ANIMALS,
  type Animal,
  BESIDE,
  COLOURS,
  type Colour,
  DEFAULT_EDITION,
  type Edition,
  EXPRESSIONS,
  editionKey,
  FACINGS,
  PLACES,
  POSES,
  type Pose,
  posesOf,
  restPose,
  type Scene,
  SEED_LIMIT,
  WORN,
} from "./scene.ts";

/** What pictures are for. Both seeds of a scene are congruent to the place of its split here, modulo 4: no two splits share one. */
export const SPLITS = ["train", "validation", "tuning", "benchmark"] as const;
export type Split = (typeof SPLITS)[number];

/** A seed that belongs to `split`. */
export const sampleSeed = (random: Random, split: Split): number =>
  random.below(SEED_LIMIT / SPLITS.length) * SPLITS.length + SPLITS.indexOf(split);

/** The split whose seeds a scene has; undefined where its two seeds belong to different splits. */
export function splitOf({ viewSeed, bodySeed }: Pick<Scene, "viewSeed" | "bodySeed">): Split | undefined {
  return viewSeed % SPLITS.length === bodySeed % SPLITS.length ? SPLITS[viewSeed % SPLITS.length] : undefined;
}

/**
 * Whether training leaves a combination out, to measure whether a model composes: 14 of the 132, spread like a Latin
 * square. Of any two of the three attributes' values, no more than one combination is left out.
 */
export function isHeldOut(animal: Animal, pose: Pose, colour: Colour): boolean {
  return (COLOURS.indexOf(colour) + 3 * POSES.indexOf(pose) + 2 * ANIMALS.indexOf(animal)) % 10 === 5;
}

/** The same of a scene. A portrait shows no pose, so it is never held out. */
export const isHeldOutScene = ({ animal, pose, colour, framing }: Scene): boolean =>
  framing === "whole body" && isHeldOut(animal, pose, colour);

/** Every animal × pose × colour. */
export const COMBINATIONS: readonly { animal: Animal; pose: Pose; colour: Colour }[] = ANIMALS.flatMap((animal) =>
  posesOf(animal).flatMap((pose) => COLOURS.map((colour) => ({ animal, pose, colour }))),
);

export interface SampleOptions {
  readonly split: Split;
  /** "seen": only what training may show (the default). "held out": whole-body scenes that it may not. */
  readonly combinations?: "seen" | "held out";
  /** Default: DEFAULT_EDITION. */
  readonly edition?: Edition;
  /** Portraits alone, for those who learn expressions. */
  readonly portraits?: boolean;
}

/** Shares of the kinds of scene: plain whole bodies take the rest. */
const SHARE = { things: 0.12, styles: 0.09, portraits: 0.09 };

/**
 * A random scene of a split. Throws UsageError if training asks for held-out combinations, or if held-out portraits are
 * asked for: a portrait shows no pose, so none is held out.
 */
export function sampleScene(
  random: Random,
  { split, edition = DEFAULT_EDITION, combinations = "seen", portraits }: SampleOptions,
): Scene {
  if (combinations === "held out" && split === "train") {
    throw new UsageError("held-out combinations are not for training", { where: "combinations" });
  }
  if (combinations === "held out" && portraits) {
    throw new UsageError("no portrait is a held-out combination", { where: "portraits" });
  }
  const roll = random.uniform();
  const portrait = portraits || (combinations === "seen" && roll < SHARE.portraits);
  const styled = !portrait && roll < SHARE.portraits + SHARE.styles;
  const things = !portrait && !styled && roll < SHARE.portraits + SHARE.styles + SHARE.things;
  const wanted = combinations === "held out";
  let animal: Animal;
  let pose: Pose;
  let colour: Colour;
  do {
    animal = random.pick(ANIMALS);
    pose = portrait ? restPose(animal) : random.pick(posesOf(animal));
    colour = random.pick(COLOURS);
  } while (!portrait && isHeldOut(animal, pose, colour) !== wanted);
  const thing = things ? random.below(8) : -1;
  const worn = (thing >= 0 && thing < 5) || (portrait && random.uniform() < 0.15);
  const beside = thing >= 4;
  return {
    ...editionKey(edition),
    animal,
    pose,
    colour,
    place: random.pick(PLACES),
    wearing: worn ? random.pick(WORN) : null,
    beside: beside ? random.pick(BESIDE) : null,
    style: styled ? random.pick(["pencil drawing", "watercolour"] as const) : "photo",
    facing: random.pick(FACINGS),
    framing: portrait ? "portrait" : "whole body",
    expression: portrait ? random.pick(EXPRESSIONS) : "neutral",
    viewSeed: sampleSeed(random, split),
    bodySeed: sampleSeed(random, split),
  };
}
