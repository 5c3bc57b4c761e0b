import type { Random } from "../../core/index.ts";
import type { Vec } from "../geometry.ts";
import type { Mark, Zone } from "../marks.ts";
import type { Colour } from "../scene.ts";
import type { BeastShape } from "./look.ts";

const WHITE: Vec = [0.95, 0.93, 0.89];
const CHARCOAL: Vec = [0.17, 0.16, 0.17];

/** For each named colour, three colours of marks: light, strong and similar. The named colour stays the main one. */
const BESIDE: Record<Colour, readonly [Vec, Vec, Vec]> = {
  brown: [WHITE, [0.14, 0.09, 0.06], [0.66, 0.46, 0.28]],
  black: [WHITE, [0.58, 0.36, 0.18], [0.34, 0.33, 0.35]],
  white: [[0.6, 0.42, 0.28], CHARCOAL, [0.72, 0.7, 0.68]],
  orange: [WHITE, [0.45, 0.17, 0.05], [0.99, 0.72, 0.36]],
  grey: [WHITE, CHARCOAL, [0.7, 0.71, 0.73]],
  yellow: [WHITE, [0.56, 0.34, 0.12], [0.82, 0.6, 0.16]],
};

type Palette = readonly [light: Vec, strong: Vec, near: Vec];

const ALL: readonly Zone[] = ["trunk", "leg", "neck", "head", "tail", "tuft"];

const blot = (zone: Zone, from: Vec, to: Vec, radius: number, colour: Vec): Mark => ({
  shape: "blot",
  zones: [zone],
  from,
  to,
  radius,
  colour,
});

/** Feet of one colour. Each shin's frame begins at the ankle. */
const socks = (length: number, colour: Vec): Mark => ({ shape: "band", zones: ["leg"], from: -1, to: length, colour });

const tailTip = (length: number, colour: Vec): Mark => ({
  shape: "band",
  zones: ["tuft"],
  from: length * 0.2,
  to: 9,
  colour,
});

/** One or two large patches on each flank; up to three on a horse. */
function patches({ kind, build: { trunk } }: BeastShape, colour: Vec, random: Random): Mark[] {
  return [-1, 1].flatMap((side) => {
    const count = 1 + random.below(kind === "horse" ? 3 : 2);
    const first = random.uniform();
    return Array.from({ length: count }, (_, k) => {
      const along = ((first + (k + 0.25 * random.uniform()) / count) % 1) * trunk.length;
      const at: Vec = [along, trunk.chest * random.between(-0.2, 0.8), side * trunk.chest * random.between(0.7, 0.95)];
      const to: Vec = [
        along + trunk.length * random.between(-0.1, 0.1),
        at[1] + trunk.chest * random.between(-0.4, 0.4),
        at[2],
      ];
      return blot("trunk", at, to, trunk.chest * random.between(0.5, 0.82), colour);
    });
  });
}

/** Returns a patch about one eye. */
function eyePatch({ build: { head, eye } }: BeastShape, colour: Vec, random: Random): Mark {
  const side = random.uniform() < 0.5 ? -1 : 1;
  const at: Vec = [eye.forward * head.radius, eye.up * head.radius, side * eye.side * head.radius];
  return blot(
    "head",
    at,
    [at[0] - head.radius * 0.3, at[1] + head.radius * 0.3, at[2] * 1.3],
    head.radius * 0.55,
    colour,
  );
}

/** Returns a stripe from the forehead down the nose. */
function blaze({ build: { head, snout } }: BeastShape, colour: Vec, random: Random): Mark {
  const r = head.radius;
  const tip = r * 0.6 + snout.length;
  return blot(
    "head",
    [r * 0.6, r * 0.85, 0],
    [tip, -r * snout.drop + snout.radius, 0],
    r * random.between(0.24, 0.38),
    colour,
  );
}

const bib = ({ build: { trunk, neck } }: BeastShape, colour: Vec): Mark[] => [
  blot(
    "trunk",
    [trunk.length + trunk.chest * 0.7, -trunk.chest * 0.2, 0],
    [trunk.length, -trunk.chest * 0.9, 0],
    trunk.chest * 0.62,
    colour,
  ),
  blot("neck", [0, -neck.radius * 1.2, 0], [neck.length * 0.4, -neck.radius * 1.1, 0], neck.radius * 0.85, colour),
];

const saddle = ({ build: { trunk } }: BeastShape, colour: Vec): Mark =>
  blot(
    "trunk",
    [trunk.length * 0.12, trunk.rump * 0.95, 0],
    [trunk.length * 0.85, trunk.chest * 0.95, 0],
    trunk.chest * 0.68,
    colour,
  );

const spots = (zones: readonly Zone[], pitch: number, size: number, colour: Vec): Mark => ({
  shape: "spots",
  zones,
  pitch,
  size,
  colour,
});

const stripes = (zones: readonly Zone[], pitch: number, share: number, colour: Vec): Mark => ({
  shape: "stripes",
  zones,
  pitch,
  share,
  colour,
});

type Coat = (shape: BeastShape, palette: Palette, random: Random) => Mark[];

const sockLength = ({ build: { leg } }: BeastShape, random: Random): number => leg.length * random.between(0.12, 0.3);

const patched: Coat = (shape, [light, strong], random) => {
  const colour = random.uniform() < 0.7 ? light : strong;
  const feet = random.uniform() < 0.5 ? [socks(sockLength(shape, random), colour)] : [];
  return [...patches(shape, colour, random), eyePatch(shape, colour, random), ...feet];
};

/** A chest, feet and a tail tip of one light colour. */
const shirted: Coat = (shape, [light], random) => [
  ...bib(shape, light),
  socks(sockLength(shape, random), light),
  tailTip(shape.build.tail.length * 0.5, light),
  ...(random.uniform() < 0.6 ? [blaze(shape, light, random)] : []),
];

const saddled: Coat = (shape, [, strong, near], random) => [
  saddle(shape, random.uniform() < 0.6 ? strong : near),
  ...(random.uniform() < 0.5 ? [eyePatch(shape, strong, random)] : []),
];

const spotted: Coat = (_, [light, strong], random) => [
  spots(ALL, random.between(4.6, 6.2), random.between(0.24, 0.3), random.uniform() < 0.5 ? light : strong),
];

const striped: Coat = (shape, [, strong, near], random) => {
  const colour = random.uniform() < 0.55 ? strong : near;
  const pitch = random.between(4.6, 6.4);
  const feet = random.uniform() < 0.4 ? [socks(sockLength(shape, random) * 0.7, WHITE)] : [];
  return [
    stripes(["trunk"], pitch, 0.34, colour),
    stripes(["leg", "tail", "tuft"], pitch * 1.5, 0.36, colour),
    stripes(["neck"], pitch * 1.2, 0.3, colour),
    ...feet,
  ];
};

/** Dark face, feet and tail. */
const pointed: Coat = (shape, [, strong], random) => {
  const { head, snout } = shape.build;
  const face: Vec = [head.radius * 0.9 + snout.length, -head.radius * 0.3, 0];
  return [
    blot("head", face, face, head.radius * 0.6, strong),
    socks(sockLength(shape, random) * 1.2, strong),
    { shape: "band", zones: ["tail", "tuft"], from: -1, to: 9, colour: strong },
  ];
};

const belted: Coat = ({ build: { trunk } }, [light], random) => {
  const from = trunk.length * random.between(0.22, 0.4);
  return [
    { shape: "band", zones: ["trunk"], from, to: from + trunk.length * random.between(0.22, 0.3), colour: light },
  ];
};

const clouded: Coat = (shape, [light], random) => [
  { shape: "clouds", zones: ["trunk", "leg", "neck", "tail"], edge: [0.7, 0.73] },
  ...(random.uniform() < 0.5 ? [blaze(shape, light, random)] : []),
];

const blazed: Coat = (shape, [light], random) => [
  blaze(shape, light, random),
  ...(random.uniform() < 0.6 ? [socks(sockLength(shape, random), light)] : []),
];

const dappled: Coat = (_, [light, , near], random) => [
  spots(["trunk"], random.between(5.5, 7), 0.3, random.uniform() < 0.5 ? light : near),
];

const netted: Coat = (shape, [light], random) => [
  { shape: "cells", zones: ["trunk", "leg", "neck", "tail"], pitch: random.between(3.4, 5.6) },
  ...(random.uniform() < 0.4 ? [socks(sockLength(shape, random) * 1.3, light)] : []),
];

const plain: Coat = () => [];

const COATS: Record<BeastShape["kind"], readonly Coat[]> = {
  dog: [patched, patched, shirted, saddled, spotted, plain],
  cat: [striped, striped, patched, shirted, pointed, plain],
  horse: [blazed, patched, patched, dappled, shirted],
  cow: [clouded, clouded, patched, belted, blazed, shirted],
  giraffe: [netted],
};

export const beastMarks = (shape: BeastShape, colour: Colour, random: Random): Mark[] =>
  random.pick(COATS[shape.kind])(shape, BESIDE[colour], random);

/** Returns the upper wing, if it is not a shade of the bird's colour. */
export const wingColour = (colour: Colour, random: Random): Vec | null => {
  const choice = random.below(5);
  return choice < 2 ? BESIDE[colour][choice] : null;
};

/** Returns a bird's marks: none or two of them. */
export function birdMarks(colour: Colour, random: Random): Mark[] {
  const [light, strong, near] = BESIDE[colour];
  const second = random.uniform() < 0.6 ? light : strong;
  const choices: readonly Mark[] = [
    blot("trunk", [0.5, 0.02, 0], [0.2, -0.2, 0], random.between(0.22, 0.32), second),
    blot("head", [-0.02, 0.24, 0], [0.1, 0.2, 0], random.between(0.14, 0.2), strong),
    blot("head", [0.12, 0.05, -0.25], [0.12, 0.05, 0.25], 0.1, strong),
    { shape: "band", zones: ["neck"], from: 0.1, to: random.between(0.2, 0.28), colour: second },
    spots(["trunk", "neck"], random.between(6, 8), 0.28, near),
  ];
  const first = random.below(choices.length + 1);
  const step = 1 + random.below(choices.length - 1);
  return choices.filter((_, k) => first < choices.length && (k === first || k === (first + step) % choices.length));
}
