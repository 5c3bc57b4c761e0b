import { Random } from "../../core/index.ts";
import type { Vec } from "../geometry.ts";
import type { Prop, PropKind } from "../props/build.ts";
import type { Place, Scene } from "../scene.ts";
import { decals } from "./decals.ts";
import type { Painting, Setting } from "./look.ts";

/** Independent uses of a viewSeed's place. */
const STREAM = { ground: 21, props: 22, decals: 23 };

/** Paint of the walls of rooms. */
const WALLS: readonly Vec[] = [
  [0.74, 0.8, 0.82],
  [0.84, 0.78, 0.68],
  [0.72, 0.79, 0.7],
  [0.8, 0.74, 0.8],
  [0.86, 0.84, 0.8],
  [0.62, 0.7, 0.78],
  [0.86, 0.7, 0.62],
];

/** What may stand in a place: kind, its height, and how far behind the animal it may be, or null for at the wall. */
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

/** Where things may stand across the picture: the middle is the animal's. */
const SLOTS = [-0.9, -0.6, 0.6, 0.9] as const;

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.below(left.length), 1)[0]);
}

function props(place: Place, random: Random): Prop[] {
  const offers = shuffled(OFFERS[place], random);
  const slots = shuffled(SLOTS, random);
  const count = 2 + random.below(2);
  const things = offers.slice(0, count).map(([kind, size, behind], k) => ({
    kind,
    across: slots[k] + random.between(-0.12, 0.12),
    behind: behind && random.between(...behind),
    size: random.between(...size),
    turn: behind === null ? random.between(-18, 18) : random.between(-180, 180),
    seed: random.uint32(),
  }));
  if ((place === "grass" || place === "snow") && random.uniform() < 0.4) {
    const fence = { kind: "fence" as const, across: random.between(-0.8, 0.8), behind: random.between(3.2, 4.2) };
    things.push({ ...fence, size: random.between(0.45, 0.6), turn: random.between(-12, 12), seed: random.uint32() });
  }
  return things;
}

const PAINTS: readonly Vec[] = [
  [0.55, 0.7, 0.84],
  [0.9, 0.8, 0.6],
  [0.36, 0.52, 0.4],
  [0.76, 0.5, 0.42],
  [0.44, 0.4, 0.56],
];

function paintings(random: Random): Painting[] {
  const count = random.below(3);
  const first = random.pick([-1, 1]);
  return Array.from({ length: count }, (_, k) => ({
    u: (k === 0 ? first : -first) * random.between(0.5, 0.95),
    v: random.between(0.85, 1.05),
    wide: random.between(0.14, 0.24),
    high: random.between(0.14, 0.22),
    frame: random.pick<Vec>([
      [0.36, 0.24, 0.14],
      [0.9, 0.88, 0.83],
      [0.2, 0.2, 0.22],
    ]),
    top: random.pick(PAINTS),
    bottom: random.pick(PAINTS),
  }));
}

/** The place of a viewSeed. */
export function setting({ place, viewSeed }: Scene): Setting {
  const random = new Random(viewSeed, STREAM.ground);
  const deeper = random.uniform();
  const depths = { room: 0.5, "stone floor": 0.6, beach: 0.6 + 0.6 * deeper, grass: 8.4, snow: 8.4 };
  const wallHeight = place === "room" ? 1e9 : place === "stone floor" ? random.between(0.25, 0.55) : 0;
  const shade = random.between(0.94, 1.06);
  const tone: Vec = [shade * random.between(0.94, 1.04), shade, shade * random.between(0.92, 1.06)];
  return {
    depth: depths[place] + 0.6 * deeper,
    wallHeight,
    wall: random.pick(WALLS),
    tone: place === "snow" ? [1, 1, 1] : tone,
    paintings: place === "room" ? paintings(random) : [],
    grain: random.uint32() & 0xffff,
    props: props(place, new Random(viewSeed, STREAM.props)),
    decals: decals(place, new Random(viewSeed, STREAM.decals)),
  };
}
