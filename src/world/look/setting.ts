import { Random } from "../../core/index.ts";
import type { Vec } from "../geometry.ts";
import type { Scene } from "../scene.ts";
import { decals } from "./decals.ts";
import { furnish } from "./furnish.ts";
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

const PAINTS: readonly Vec[] = [
  [0.55, 0.7, 0.84],
  [0.9, 0.8, 0.6],
  [0.36, 0.52, 0.4],
  [0.76, 0.5, 0.42],
  [0.44, 0.4, 0.56],
];

/** Half of a window's width, and the least distance of a painting from it. */
const WINDOW = 0.32;

function paintings(window: number | null, random: Random): Painting[] {
  const count = random.below(3);
  const first = random.pick([-1, 1]);
  const hung = Array.from({ length: count }, (_, k) => ({
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
  return hung.filter(({ u, wide }) => window === null || Math.abs(u - window) > WINDOW + wide);
}

/** Draws the particular place of a viewSeed. */
export function setting({ place, viewSeed }: Scene): Setting {
  const random = new Random(viewSeed, STREAM.ground);
  const deeper = random.uniform();
  const depths = { room: 0.5, "stone floor": 0.6, beach: 0.6 + 0.6 * deeper, grass: 8.4, snow: 8.4 };
  const wallHeight = place === "room" ? 1e9 : place === "stone floor" ? random.between(0.25, 0.55) : 0;
  const window = random.uniform() < 0.5 ? null : random.between(-0.9, 0.9);
  const shade = random.between(0.94, 1.06);
  const tone: Vec = [shade * random.between(0.94, 1.04), shade, shade * random.between(0.92, 1.06)];
  return {
    depth: depths[place] + 0.6 * deeper,
    wallHeight,
    wall: random.pick(WALLS),
    window,
    tone: place === "snow" ? [1, 1, 1] : tone,
    paintings: place === "room" ? paintings(window, random) : [],
    grain: random.uint32() & 0xffff,
    props: furnish(place, new Random(viewSeed, STREAM.props)),
    decals: decals(place, new Random(viewSeed, STREAM.decals)),
  };
}
