import { type Mask, type Picture, Random } from "../core/index.ts";
import { completeCaption } from "./caption.ts";
import { keptMask } from "./mask.ts";
import { render } from "./render.ts";
import {
  ANIMALS,
  BESIDE,
  COLOURS,
  DEFAULT_EDITION,
  type Edition,
  EXPRESSIONS,
  editionKey,
  FACINGS,
  PLACES,
  posesOf,
  restPose,
  type Scene,
  STYLES,
  WORN,
} from "./scene.ts";
import { isHeldOutScene, type Split, sampleSeed } from "./split.ts";

export const PAIR_KINDS = ["pose", "add", "background", "style", "expression", "colour", "several"] as const;
export type PairKind = (typeof PAIR_KINDS)[number];

/** An edit whose true result is known. Individual, view and light are the same before and after. */
export interface Pair {
  /** "benchmark-017" in the first edition, "benchmark-2-017" in the second. */
  readonly name: string;
  readonly kind: PairKind;
  /** True if training leaves out the combination that the edit leads to. */
  readonly heldOut: boolean;
  readonly before: Scene;
  /** Caption of `before`. */
  readonly source: string;
  /** Caption of `after`: the target prompt. */
  readonly target: string;
  readonly after: Scene;
}

/** Pictures of a pair, [size, size, 3], and the pixels that the edit must keep. */
export interface RenderedPair {
  readonly before: Picture;
  readonly after: Picture;
  /** 255 at pixels that must not change. 0 everywhere if the style changes. */
  readonly mask: Mask;
}

interface PairSet {
  readonly split: Split;
  readonly edition: Edition;
}

const other = <T>(random: Random, items: readonly T[], not: T): T => random.pick(items.filter((item) => item !== not));

/** Returns the scene after a random edit of this kind. */
function edited(kind: PairKind, scene: Scene, random: Random): Scene {
  const pose = (): Partial<Scene> => ({ pose: other(random, posesOf(scene.animal), scene.pose) });
  const place = (): Partial<Scene> => ({ place: other(random, PLACES, scene.place) });
  const colour = (): Partial<Scene> => ({ colour: other(random, COLOURS, scene.colour) });
  const add = (): Partial<Scene> =>
    random.uniform() < 0.65 ? { wearing: random.pick(WORN) } : { beside: random.pick(BESIDE) };
  switch (kind) {
    case "pose":
      return { ...scene, ...pose() };
    case "background":
      return { ...scene, ...place() };
    case "colour":
      return { ...scene, ...colour() };
    case "add":
      return { ...scene, ...add() };
    case "style":
      return { ...scene, style: other(random, STYLES, scene.style) };
    case "expression":
      return { ...scene, expression: other(random, EXPRESSIONS, scene.expression) };
    case "several": {
      const [first, second] = random.pick([
        [pose, place],
        [pose, colour],
        [pose, add],
        [colour, place],
        [add, place],
      ] as const);
      return { ...scene, ...first(), ...second() };
    }
  }
}

function sampleBefore(kind: PairKind, { split, edition }: PairSet, random: Random): Scene {
  const animal = random.pick(ANIMALS);
  const portrait = kind === "expression";
  return {
    ...editionKey(edition),
    animal,
    pose: portrait ? restPose(animal) : random.pick(posesOf(animal)),
    colour: random.pick(COLOURS),
    place: random.pick(PLACES),
    wearing: null,
    beside: null,
    style: "photo",
    facing: random.pick(FACINGS),
    framing: portrait ? "portrait" : "whole body",
    expression: "neutral",
    viewSeed: sampleSeed(random, split),
    bodySeed: sampleSeed(random, split),
  };
}

/** True for kinds that change the combination of animal, pose and colour: training may then show one side alone. */
const changesCombination = (kind: PairKind): boolean => kind === "pose" || kind === "colour" || kind === "several";

/**
 * Returns a random pair. If `heldOut`, training leaves out the combination after the edit but shows the one before; if the kind
 * of edit does not change the combination, it leaves out both. If not `heldOut`, training shows both.
 */
function samplePair(kind: PairKind, heldOut: boolean, set: PairSet, name: string, random: Random): Pair {
  for (;;) {
    const before = sampleBefore(kind, set, random);
    const after = edited(kind, before, random);
    if (isHeldOutScene(after) !== heldOut) continue;
    if (isHeldOutScene(before) !== (heldOut && !changesCombination(kind))) continue;
    const wording = { variant: random.uniform() < 0.25, thingsLast: random.uniform() < 0.5 };
    const [source, target] = [before, after].map((scene) => completeCaption(scene, wording));
    return { name, kind, heldOut, before, source, target, after };
  }
}

/** Pairs of each kind among 100 pairs of combinations that training shows. */
const SEEN_MIX: Record<PairKind, number> = {
  pose: 36,
  add: 12,
  background: 12,
  style: 8,
  expression: 14,
  colour: 6,
  several: 12,
};
/** Pairs of each kind among 100 held-out pairs. A portrait shows no pose, so no expression pair is held out. */
const HELD_OUT_MIX: Record<PairKind, number> = {
  pose: 44,
  add: 12,
  background: 10,
  style: 6,
  expression: 0,
  colour: 10,
  several: 18,
};

/** `count` kinds in the shares of `mix`, by largest remainder. */
function shares(mix: Record<PairKind, number>, count: number): PairKind[] {
  const parts = PAIR_KINDS.map((kind) => ({ kind, exact: (mix[kind] * count) / 100 }));
  const rounded = parts.map(({ kind, exact }) => ({ kind, n: Math.floor(exact), rest: exact - Math.floor(exact) }));
  let missing = count - rounded.reduce((n, p) => n + p.n, 0);
  for (const part of [...rounded].sort((a, b) => b.rest - a.rest)) {
    if (missing-- > 0) part.n++;
  }
  return rounded.flatMap(({ kind, n }) => Array<PairKind>(n).fill(kind));
}

/**
 * `count` random pairs of one split: the first half of combinations that training shows, the second half of held-out ones.
 */
function samplePairs(split: Exclude<Split, "train">, count: number, seed: number, edition: Edition): Pair[] {
  const random = new Random(seed, 7);
  const prefix = edition === 1 ? split : `${split}-${edition}`;
  const kinds = [SEEN_MIX, HELD_OUT_MIX].map((mix) => shares(mix, count / 2));
  return kinds.flatMap((half, heldOut) =>
    half.map((kind, i) => {
      const number = String(i + heldOut * half.length).padStart(3, "0");
      return samplePair(kind, heldOut === 1, { split, edition }, `${prefix}-${number}`, random);
    }),
  );
}

/** Seeds of the fixed sets. */
const SET_SEEDS: Record<Edition, { benchmark: number; tuning: number }> = {
  1: { benchmark: 2024, tuning: 2025 },
  2: { benchmark: 2026, tuning: 2027 },
};

/** Returns the fixed 200 pairs of an edition that results are reported on. */
export const benchmarkPairs = (edition: Edition = DEFAULT_EDITION): Pair[] =>
  samplePairs("benchmark", 200, SET_SEEDS[edition].benchmark, edition);

/** Returns the fixed 60 pairs of an edition for choosing hyper-parameters; none is in the benchmark, and no seed is shared. */
export const tuningPairs = (edition: Edition = DEFAULT_EDITION): Pair[] =>
  samplePairs("tuning", 60, SET_SEEDS[edition].tuning, edition);

/** Renders both sides of a pair and the mask of what the edit must keep. */
export function renderPair({ before, after }: Pick<Pair, "before" | "after">, size: number): RenderedPair {
  const first = render(before, size);
  const second = render(after, size);
  const mask = keptMask(first, second);
  return {
    before: first,
    after: second,
    mask: before.style === after.style ? mask : { ...mask, data: mask.data.fill(0) },
  };
}
