import type { Random } from "../../core/index.ts";
import type { Body } from "../body/parts.ts";
import { mix, scale, type Vec } from "../geometry.ts";
import { around } from "./outdoors.ts";

const SAND: Vec = [0.82, 0.69, 0.46];
const BARK: Vec = [0.5, 0.38, 0.26];
const CLOTH = { pattern: "plain" } as const;
const ROUGH = { pattern: "rough" } as const;

const SHELLS: readonly Vec[] = [
  [0.93, 0.72, 0.64],
  [0.95, 0.9, 0.82],
  [0.72, 0.55, 0.62],
];
const SHADES: readonly (readonly [Vec, Vec])[] = [
  [
    [0.86, 0.28, 0.24],
    [0.95, 0.93, 0.88],
  ],
  [
    [0.2, 0.45, 0.72],
    [0.95, 0.93, 0.88],
  ],
  [
    [0.95, 0.72, 0.24],
    [0.94, 0.5, 0.3],
  ],
];

function palm(body: Body, random: Random): void {
  const lean = random.between(-0.22, 0.22);
  const top: Vec = [lean, 0.8, 0];
  body.chain([[0, 0, 0], [lean * 0.25, 0.3, 0], [lean * 0.6, 0.58, 0], top], 0.05, 0.032, BARK, ROUGH);
  for (let k = 0; k < 7; k++) {
    const [x, z] = around(k, 7, random.uniform() * 0.5);
    const middle: Vec = [top[0] + x * 0.17, top[1] + random.between(0.07, 0.13), z * 0.17];
    const tip: Vec = [top[0] + x * 0.36, top[1] - random.between(0.02, 0.12), z * 0.36];
    body.chain([top, middle, tip], 0.035, 0.022, k % 2 ? [0.24, 0.48, 0.2] : [0.32, 0.56, 0.22], CLOTH);
  }
}

/** Builds a sunshade with panels of two colours. */
function parasol(body: Body, random: Random): void {
  const [one, two] = random.pick(SHADES);
  body.cone([0, 0, 0], [0, 0.8, 0], 0.018, 0.016, [0.9, 0.88, 0.84], CLOTH);
  const top: Vec = [0, 0.95, 0];
  for (let k = 0; k < 8; k++) {
    const [x, z] = around(k, 8);
    body.cone(top, [x * 0.42, 0.74, z * 0.42], 0.03, 0.085, k % 2 ? one : two, CLOTH);
  }
}

function rock(body: Body, random: Random): void {
  const grey: Vec = random.pick([
    [0.46, 0.43, 0.41],
    [0.55, 0.48, 0.42],
  ]);
  body.cone([-0.5, 0.15, 0], [0.1, 0.4, 0], 0.45, 0.55, grey, ROUGH);
  body.ball([random.between(0.4, 0.7), 0.15, 0.1], random.between(0.35, 0.5), scale(grey, 0.93), {
    pattern: "rough",
    blend: 0.1,
  });
}

/** Builds a scallop that stands half in the sand. */
function shell(body: Body, random: Random): void {
  const colour = random.pick(SHELLS);
  for (let k = -3; k <= 3; k++) {
    const x = k * 0.22;
    body.cone(
      [k * 0.05, 0.08, 0],
      [x, 0.86 - k * k * 0.045, -0.14],
      0.09,
      0.125,
      k % 2 ? mix(colour, [0.5, 0.3, 0.25], 0.25) : colour,
      CLOTH,
    );
  }
}

function starfish(body: Body, random: Random): void {
  const colour = random.pick<Vec>([
    [0.92, 0.48, 0.26],
    [0.86, 0.36, 0.4],
  ]);
  const offset = random.uniform();
  for (let k = 0; k < 5; k++) {
    const [x, z] = around(k, 5, offset);
    body.cone([0, 0.35, 0], [x * 2, 0.2, z * 2], 0.55, 0.22, colour, { pattern: "rough", blend: 0.25 });
  }
}

function castle(body: Body, random: Random): void {
  body.cone([0, 0, 0], [0, 0.3, 0], 0.5, 0.4, SAND, ROUGH);
  for (const [x, z, tall] of [
    [-0.42, 0.12, random.between(0.5, 0.65)],
    [0.42, 0.12, random.between(0.5, 0.65)],
    [0, -0.05, 0.8],
  ]) {
    body.cone([x, 0, z], [x, tall, z], 0.19, 0.14, SAND, ROUGH);
    body.cone([x, tall + 0.1, z], [x, tall + 0.2, z], 0.12, 0.015, scale(SAND, 0.92), ROUGH);
  }
}

function driftwood(body: Body, random: Random): void {
  const grey: Vec = [0.62, 0.54, 0.46];
  const bend = random.between(0.1, 0.5);
  body.chain(
    [
      [-1.6, 0.35, 0],
      [-0.3, 0.5, bend],
      [1.3, 0.35, 0],
    ],
    0.38,
    0.25,
    grey,
    ROUGH,
  );
  body.cone([-0.2, 0.5, bend], [-0.6, 1, bend + 0.2], 0.2, 0.1, grey, ROUGH);
}

export const SHORE = {
  palm: { build: palm, girth: 0.36 },
  parasol: { build: parasol, girth: 0.45 },
  rock: { build: rock, girth: 0.6 },
  shell: { build: shell, girth: 0.3 },
  starfish: { build: starfish, girth: 2.1 },
  castle: { build: castle, girth: 0.5 },
  driftwood: { build: driftwood, girth: 0.7 },
} as const;
