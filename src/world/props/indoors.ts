import type { Random } from "../../core/index.ts";
import type { Body } from "../body/parts.ts";
import { mix, scale, type Vec } from "../geometry.ts";
import { around } from "./outdoors.ts";

const CLOTH = { pattern: "plain" } as const;
const ROUGH = { pattern: "rough" } as const;
const CUSHION = { pattern: "plain", blend: 0.02 } as const;

const FABRICS: readonly Vec[] = [
  [0.5, 0.3, 0.32],
  [0.28, 0.42, 0.44],
  [0.66, 0.56, 0.34],
  [0.4, 0.42, 0.56],
  [0.72, 0.66, 0.58],
];
const WOODS: readonly Vec[] = [
  [0.42, 0.26, 0.15],
  [0.66, 0.47, 0.29],
  [0.86, 0.84, 0.8],
];
const CLAY: readonly Vec[] = [
  [0.7, 0.38, 0.25],
  [0.85, 0.82, 0.76],
  [0.32, 0.42, 0.5],
];

/** Adds bars side by side, which look like a plank: round cones have no flat sides. */
function slab(body: Body, at: Vec, long: number, wide: number, thick: number, colour: Vec): void {
  const n = Math.ceil(wide / (1.6 * thick));
  for (let k = 0; k < n; k++) {
    const z = at[2] + (n === 1 ? 0 : ((2 * k) / (n - 1) - 1) * (wide - thick));
    body.cone([at[0] - long, at[1], z], [at[0] + long, at[1], z], thick, thick, colour, CUSHION);
  }
}

function legs(body: Body, x: number, z: number, tall: number, colour: Vec): void {
  for (const [sx, sz] of [
    [-1, -1],
    [-1, 1],
    [1, -1],
    [1, 1],
  ])
    body.cone([sx * x, 0, sz * z], [sx * x, tall, sz * z], 0.03, 0.035, colour, CLOTH);
}

function chair(body: Body, random: Random): void {
  const wood = random.pick(WOODS);
  legs(body, 0.2, 0.2, 0.46, wood);
  slab(body, [0, 0.47, 0], 0.2, 0.26, 0.045, mix(wood, random.pick(FABRICS), 0.6));
  for (const x of [-0.2, 0.2]) body.cone([x, 0.46, -0.2], [x * 1.02, 0.97, -0.26], 0.035, 0.03, wood, CLOTH);
  for (const y of [0.68, 0.82, 0.94]) body.cone([-0.2, y, -0.24], [0.2, y, -0.24], 0.034, 0.034, wood, CLOTH);
}

function table(body: Body, random: Random): void {
  const wood = random.pick(WOODS);
  legs(body, 0.5, 0.28, 0.8, wood);
  slab(body, [0, 0.84, 0], 0.62, 0.4, 0.05, wood);
  if (random.uniform() < 0.6) body.cone([0.15, 0.93, 0], [0.15, 1.1, 0], 0.08, 0.06, random.pick(CLAY), CLOTH);
}

function armchair(body: Body, random: Random): void {
  const cloth = random.pick(FABRICS);
  legs(body, 0.34, 0.26, 0.12, WOODS[0]);
  slab(body, [0, 0.28, 0], 0.36, 0.36, 0.15, cloth);
  body.cone([-0.3, 0.46, 0.04], [0.3, 0.46, 0.04], 0.1, 0.1, scale(cloth, 1.15), CUSHION);
  for (const y of [0.5, 0.68, 0.84]) body.cone([-0.34, y, -0.26], [0.34, y, -0.26], 0.14, 0.14, cloth, CUSHION);
  for (const x of [-0.46, 0.46])
    body.chain(
      [
        [x, 0.3, -0.22],
        [x, 0.54, -0.2],
        [x, 0.52, 0.26],
        [x, 0.3, 0.28],
      ],
      0.1,
      0.1,
      scale(cloth, 0.9),
      CUSHION,
    );
}

function lamp(body: Body, random: Random): void {
  body.cone([0, 0.015, 0], [0, 0.03, 0], 0.11, 0.09, [0.24, 0.22, 0.22], CLOTH);
  body.cone([0, 0, 0], [0, 0.8, 0], 0.014, 0.014, [0.3, 0.28, 0.27], CLOTH);
  body.cone([0, 0.76, 0], [0, 0.93, 0], 0.14, 0.075, mix(random.pick(FABRICS), [1, 0.92, 0.75], 0.75), CLOTH);
}

function pot(body: Body, random: Random): void {
  const leaf: Vec = random.pick([
    [0.22, 0.44, 0.2],
    [0.34, 0.5, 0.22],
    [0.2, 0.38, 0.32],
  ]);
  body.cone([0, 0.13, 0], [0, 0.27, 0], 0.13, 0.17, random.pick(CLAY), CLOTH);
  if (random.uniform() < 0.5) {
    for (let k = 0; k < 6; k++) {
      const [x, z] = around(k, 6, random.uniform() * 0.6);
      body.cone(
        [x * 0.05, 0.35, z * 0.05],
        [x * 0.26, random.between(0.68, 0.95), z * 0.22],
        0.035,
        0.055,
        leaf,
        CLOTH,
      );
    }
  } else {
    for (let k = 0; k < 4; k++) {
      const [x, z] = around(k, 4, random.uniform());
      body.ball([x * 0.14, random.between(0.52, 0.68), z * 0.12], 0.17, leaf, { pattern: "rough", blend: 0.05 });
    }
    body.ball([0, 0.8, 0], 0.18, leaf, { pattern: "rough", blend: 0.05 });
  }
}

function pouf(body: Body, random: Random): void {
  const cloth = random.pick(FABRICS);
  body.cone([-0.2, 0.48, 0], [0.2, 0.48, 0], 0.48, 0.48, cloth, CUSHION);
  body.cone([-0.12, 0.8, 0], [0.12, 0.8, 0], 0.2, 0.2, scale(cloth, 1.2), CUSHION);
}

function barrel(body: Body, random: Random): void {
  const wood = random.pick(WOODS.slice(0, 2));
  body.cone([0, 0.3, 0], [0, 0.5, 0], 0.3, 0.36, wood, ROUGH);
  body.cone([0, 0.5, 0], [0, 0.74, 0], 0.36, 0.3, wood, { pattern: "rough", blend: 0.04 });
  for (const y of [0.3, 0.72])
    for (let k = 0; k < 8; k++) {
      const [x, z] = around(k, 8);
      const [a, b] = around(k + 1, 8);
      body.cone([x * 0.33, y, z * 0.33], [a * 0.33, y, b * 0.33], 0.03, 0.03, [0.25, 0.25, 0.27], CLOTH);
    }
}

function bench(body: Body, random: Random): void {
  const wood = random.pick(WOODS);
  for (const x of [-0.8, 0.8])
    body.chain(
      [
        [x, 0, 0.2],
        [x, 0.45, 0.2],
        [x, 0.45, -0.2],
        [x, 1, -0.28],
      ],
      0.06,
      0.05,
      [0.28, 0.27, 0.28],
      CLOTH,
    );
  slab(body, [0, 0.5, 0], 1, 0.26, 0.06, wood);
  for (const y of [0.74, 0.93]) body.cone([-1, y, -0.24], [1, y, -0.24], 0.065, 0.065, wood, CLOTH);
}

function lantern(body: Body, _: Random): void {
  const iron: Vec = [0.2, 0.22, 0.23];
  body.cone([0, 0, 0], [0, 0.06, 0], 0.06, 0.035, iron, CLOTH);
  body.cone([0, 0, 0], [0, 0.82, 0], 0.022, 0.016, iron, CLOTH);
  body.ball([0, 0.88, 0], 0.062, [0.98, 0.94, 0.78], CLOTH);
  body.cone([0, 0.93, 0], [0, 0.98, 0], 0.055, 0.01, iron, CLOTH);
}

export const INDOORS = {
  chair: { build: chair, girth: 0.3 },
  table: { build: table, girth: 0.42 },
  armchair: { build: armchair, girth: 0.42 },
  lamp: { build: lamp, girth: 0.15 },
  pot: { build: pot, girth: 0.28 },
  pouf: { build: pouf, girth: 0.5 },
  barrel: { build: barrel, girth: 0.38 },
  bench: { build: bench, girth: 0.34 },
  lantern: { build: lantern, girth: 0.1 },
} as const;
