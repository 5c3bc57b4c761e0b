import type { Random } from "../../core/index.ts";
import { direction, type Vec } from "../geometry.ts";
import type { Place } from "../scene.ts";
import type { Decal } from "./look.ts";

const DAISY: readonly Vec[] = [
  [0.96, 0.95, 0.92],
  [0.96, 0.82, 0.25],
  [0.84, 0.52, 0.78],
];
const LEAVES: readonly Vec[] = [
  [0.72, 0.45, 0.14],
  [0.62, 0.3, 0.12],
  [0.75, 0.62, 0.2],
];
const PEBBLES: readonly Vec[] = [
  [0.62, 0.55, 0.5],
  [0.95, 0.9, 0.85],
  [0.8, 0.6, 0.52],
];
const RUGS: readonly (readonly [edge: Vec, middle: Vec])[] = [
  [
    [0.55, 0.22, 0.22],
    [0.8, 0.68, 0.5],
  ],
  [
    [0.24, 0.36, 0.48],
    [0.72, 0.76, 0.78],
  ],
  [
    [0.44, 0.46, 0.3],
    [0.78, 0.74, 0.6],
  ],
  [
    [0.84, 0.8, 0.72],
    [0.58, 0.48, 0.5],
  ],
];

/** Small things scattered over the ground, each `size` long, with a middle of another colour. */
function strewn(
  count: number,
  size: number,
  flat: number,
  colours: readonly Vec[],
  middle: Vec,
  inner: number,
  random: Random,
): Decal[] {
  const colour = random.pick(colours);
  return Array.from({ length: count }, () => {
    const long = size * random.between(0.75, 1.25);
    const axis = direction(random.between(-90, 90));
    return {
      shape: "ellipse",
      u: random.between(-1.3, 1.3),
      v: random.between(-2.2, 0.9),
      long,
      wide: long * flat,
      axis,
      colour,
      inner,
      second: middle,
    };
  });
}

/** Two rows of footprints across the ground, between two random points. */
function trail(ground: Vec, dark: Vec, random: Random): Decal[] {
  const [c, s] = direction(random.between(-50, 50));
  const u = random.between(-0.6, 0.6);
  const v = random.between(-1.1, -0.2);
  return Array.from({ length: 15 }, (_, k) => {
    const along = (k - 7) * 0.24;
    const side = (k % 2 ? 1 : -1) * 0.07;
    return {
      shape: "ellipse",
      u: u + along * c - side * s,
      v: v + along * s + side * c,
      long: 0.075,
      wide: 0.045,
      axis: [c, s],
      colour: ground,
      inner: 0.72,
      second: dark,
    };
  });
}

function rug(random: Random): Decal {
  const [edge, middle] = random.pick(RUGS);
  const long = random.between(0.7, 1.15);
  return {
    shape: random.uniform() < 0.5 ? "ellipse" : "rectangle",
    u: random.between(-0.35, 0.35),
    v: random.between(-0.1, 0.25),
    long,
    wide: long * random.between(0.5, 0.7),
    axis: direction(random.between(-25, 25)),
    colour: edge,
    inner: random.between(0.72, 0.86),
    second: middle,
  };
}

/** Things that lie flat on the ground of a place. */
export function decals(place: Place, random: Random): Decal[] {
  const much = random.uniform();
  switch (place) {
    case "grass":
      return much < 0.3
        ? []
        : much < 0.75
          ? strewn(26, 0.035, 1, DAISY, [0.9, 0.66, 0.16], 0.45, random)
          : strewn(20, 0.05, 0.55, LEAVES, LEAVES[0], 0, random);
    case "beach":
      return much < 0.35
        ? trail([0.84, 0.72, 0.5], [0.66, 0.54, 0.36], random)
        : strewn(much < 0.8 ? 18 : 0, 0.034, 0.75, PEBBLES, PEBBLES[1], 0.4, random);
    case "snow":
      return much < 0.5 ? trail([0.9, 0.93, 0.99], [0.68, 0.76, 0.88], random) : [];
    case "stone floor":
      return much < 0.5 ? strewn(18, 0.05, 0.55, LEAVES, LEAVES[0], 0, random) : [];
    case "room":
      return much < 0.65 ? [rug(random)] : [];
  }
}
