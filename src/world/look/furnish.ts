import type { Random } from "../../core/index.ts";
import type { Prop, PropKind } from "../props/build.ts";
import type { Place } from "../scene.ts";

/** Things that may stand in a place: kind, height, and range of distance behind the animal; null means at the wall. */
type Offer = readonly [kind: PropKind, size: readonly [number, number], behind: readonly [number, number] | null];

const OFFERS: Record<Place, readonly Offer[]> = {
  grass: [
    ["tree", [1.3, 2.1], [0.8, 3]],
    ["tree", [1.3, 2.1], [0.8, 3]],
    ["poplar", [1.5, 2.4], [1, 3]],
    ["bush", [0.35, 0.6], [0.1, 1.2]],
    ["stone", [0.18, 0.36], [0.05, 0.8]],
    ["flowers", [0.24, 0.36], [0.05, 0.5]],
    ["mushrooms", [0.22, 0.32], [0.05, 0.4]],
    ["log", [0.2, 0.28], [0.1, 0.7]],
  ],
  beach: [
    ["palm", [1.5, 2.1], [0.2, 0.9]],
    ["parasol", [0.95, 1.3], [0.1, 0.5]],
    ["rock", [0.28, 0.55], [0.1, 1.4]],
    ["shell", [0.2, 0.3], [0.02, 0.2]],
    ["starfish", [0.07, 0.09], [0.02, 0.2]],
    ["castle", [0.4, 0.6], [0.05, 0.3]],
    ["driftwood", [0.18, 0.26], [0.05, 0.4]],
  ],
  snow: [
    ["fir", [1, 1.9], [0.4, 2.4]],
    ["fir", [1, 1.9], [0.4, 2.4]],
    ["snowman", [0.75, 1.05], [0.2, 1]],
    ["snowy stone", [0.22, 0.4], [0.05, 0.8]],
    ["log", [0.2, 0.28], [0.1, 0.7]],
  ],
  "stone floor": [
    ["pot", [0.5, 0.8], null],
    ["pot", [0.5, 0.8], [0.05, 0.15]],
    ["bench", [0.5, 0.62], null],
    ["barrel", [0.45, 0.62], null],
    ["lantern", [1.2, 1.6], [0.05, 0.2]],
    ["stone", [0.16, 0.26], [0.05, 0.2]],
  ],
  room: [
    ["chair", [0.75, 0.95], null],
    ["table", [0.5, 0.65], null],
    ["armchair", [0.65, 0.85], null],
    ["lamp", [1.2, 1.5], null],
    ["pot", [0.55, 0.85], null],
    ["pouf", [0.24, 0.32], null],
  ],
};

/** Positions of things across the picture. The animal has the middle. Along a wall there is room for fewer. */
const SLOTS = { open: [-0.94, -0.58, 0.58, 0.94], walled: [-0.78, 0.78] } as const;

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.below(left.length), 1)[0]);
}

/** Draws two or three things, and sometimes a fence far behind them. */
export function furnish(place: Place, random: Random): Prop[] {
  const offers = shuffled(OFFERS[place], random);
  const walled = place === "room" || place === "stone floor";
  const slots = shuffled(walled ? SLOTS.walled : SLOTS.open, random);
  const count = walled ? 2 : 2 + random.below(2);
  const things = offers.slice(0, count).map(([kind, size, behind], k) => ({
    kind,
    across: slots[k] + random.between(-0.1, 0.1),
    behind: behind && random.between(...behind),
    size: random.between(...size),
    turn: behind === null ? random.between(-18, 18) : random.between(-180, 180),
    seed: random.uint32(),
  }));
  if (!walled && place !== "beach" && random.uniform() < 0.4) {
    const fence = { kind: "fence" as const, across: random.between(-0.8, 0.8), behind: random.between(3.2, 4.2) };
    things.push({ ...fence, size: random.between(0.45, 0.6), turn: random.between(-12, 12), seed: random.uint32() });
  }
  return things;
}
