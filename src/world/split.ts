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

/**
 * Uses of pictures. Both seeds of a scene are congruent, modulo 4, to the index of its split in this list, so no two splits
 * share a seed.
 */
export const SPLITS = ["train", "validation", "tuning", "benchmark"] as const;
export type Split = (typeof SPLITS)[number];

/** Returns a random seed that belongs to `split`. */
export const sampleSeed = (random: Random, split: Split): number =>
  random.below(SEED_LIMIT / SPLITS.length) * SPLITS.length + SPLITS.indexOf(split);

/**
 * True for combinations that training leaves out, to measure whether a model composes: 14 of the 132, spread like a Latin
 * square. For any two values of two attributes, at most one combination is left out.
 */
function isHeldOut(animal: Animal, pose: Pose, colour: Colour): boolean {
  return (COLOURS.indexOf(colour) + 3 * POSES.indexOf(pose) + 2 * ANIMALS.indexOf(animal)) % 10 === 5;
}

/** True if training leaves out a scene's combination. A portrait shows no pose, so it is never left out. */
export const isHeldOutScene = ({ animal, pose, colour, framing }: Scene): boolean =>
  framing === "whole body" && isHeldOut(animal, pose, colour);

export interface SampleOptions {
  readonly split: Split;
  /** "seen" (default): scenes that training may show. "held out": whole-body scenes that it may not. */
  readonly combinations?: "seen" | "held out";
  /** Default: DEFAULT_EDITION. */
  readonly edition?: Edition;
  /** If true, only portraits, which show expressions. */
  readonly portraits?: boolean;
}

/** Shares of the kinds of scene. The rest are plain whole bodies. */
const SHARE = { things: 0.12, styles: 0.09, portraits: 0.09 };

/** Throws UsageError if the options ask for held-out scenes for training, or for held-out portraits, of which there are none. */
export function checkSample({ split, combinations, portraits }: SampleOptions): void {
  if (combinations !== "held out") return;
  const refused = (problem: string) => new UsageError(problem, { where: "combinations", found: '"held out"' });
  if (split === "train") throw refused("held-out combinations are not for training; use another split");
  if (portraits) throw refused("a portrait shows no pose, so no portrait is a held-out combination");
}

/** Returns a random scene of a split. Throws UsageError if there are no such scenes. */
export function sampleScene(random: Random, options: SampleOptions): Scene {
  checkSample(options);
  const { split, edition = DEFAULT_EDITION, combinations = "seen", portraits } = options;
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
