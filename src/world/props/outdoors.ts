import type { Random } from "../../core/index.ts";
import type { Body } from "../body/parts.ts";
import { direction, mix, scale, type Vec } from "../geometry.ts";

const BARK: Vec = [0.38, 0.27, 0.19];
const SNOW: Vec = [0.95, 0.97, 1];
const ROUGH = { pattern: "rough" } as const;
const CLOTH = { pattern: "plain" } as const;
/** Joins a part smoothly to the parts before it. */
const CLUMP = { pattern: "rough", blend: 0.06 } as const;

const GREENS: readonly Vec[] = [
  [0.25, 0.45, 0.18],
  [0.36, 0.52, 0.16],
  [0.2, 0.4, 0.26],
  [0.62, 0.5, 0.14],
  [0.66, 0.36, 0.13],
];
const PETALS: readonly Vec[] = [
  [0.95, 0.93, 0.9],
  [0.93, 0.42, 0.55],
  [0.62, 0.42, 0.85],
  [0.96, 0.8, 0.22],
  [0.88, 0.3, 0.24],
];
const STONES: readonly Vec[] = [
  [0.5, 0.49, 0.48],
  [0.42, 0.44, 0.48],
  [0.56, 0.5, 0.43],
];
const WOODS: readonly Vec[] = [
  [0.52, 0.38, 0.26],
  [0.9, 0.89, 0.86],
  [0.6, 0.54, 0.47],
];

/** Returns the k-th of n directions around the vertical axis. */
export function around(k: number, n: number, offset = 0): readonly [x: number, z: number] {
  return direction(((k + offset) * 360) / n - 180);
}

function tree(body: Body, random: Random): void {
  const leaf = random.pick(GREENS);
  const trunk = random.between(0.3, 0.42);
  const lean = random.between(-0.05, 0.05);
  body.cone([0, 0, 0], [lean, trunk + 0.15, 0], 0.055, 0.035, BARK, ROUGH);
  const wide = random.between(0.12, 0.17);
  for (let k = 0; k < 4; k++) {
    const [x, z] = around(k, 4, random.uniform());
    body.ball([lean + x * wide, trunk + random.between(0.12, 0.3), z * wide], random.between(0.19, 0.23), leaf, CLUMP);
  }
  body.ball([lean, 0.74, 0], 0.25, mix(leaf, [1, 1, 0.7], 0.08), CLUMP);
}

function poplar(body: Body, random: Random): void {
  body.cone([0, 0, 0], [0, 0.3, 0], 0.04, 0.03, BARK, ROUGH);
  body.cone([0, 0.3, 0], [0, 0.9, 0], random.between(0.11, 0.15), 0.05, random.pick(GREENS), ROUGH);
}

function bush(body: Body, random: Random): void {
  const leaf = random.pick(GREENS);
  for (let k = 0; k < 5; k++) {
    const [x, z] = around(k, 5, random.uniform());
    const r = random.between(0.32, 0.44);
    body.ball([x * 0.42, r * 0.75, z * 0.3], r, leaf, CLUMP);
  }
  body.ball([0, 0.55, 0], 0.44, leaf, CLUMP);
}

function stone(body: Body, random: Random): void {
  const grey = random.pick(STONES);
  body.cone(
    [-random.between(0.2, 0.5), 0.2, 0],
    [random.between(0.2, 0.5), 0.25, 0.1],
    random.between(0.5, 0.7),
    random.between(0.4, 0.6),
    grey,
    CLUMP,
  );
  if (random.uniform() < 0.5) body.ball([random.between(0.8, 1), 0.1, 0.3], random.between(0.25, 0.4), grey, ROUGH);
}

function snowyStone(body: Body, random: Random): void {
  stone(body, random);
  body.cone([-0.25, 0.55, 0], [0.25, 0.55, 0.05], 0.42, 0.36, SNOW, { pattern: "plain", blend: 0.05 });
}

function flowers(body: Body, random: Random): void {
  const petal = random.pick(PETALS);
  for (let k = 0; k < 5; k++) {
    const [x, z] = around(k, 5, random.uniform());
    const foot: Vec = [x * random.between(0.2, 0.7), 0, z * 0.35];
    const top: Vec = [foot[0] * 1.2, random.between(0.65, 0.95), foot[2] + 0.05];
    body.cone(foot, top, 0.035, 0.03, [0.25, 0.46, 0.16], CLOTH);
    body.cone([top[0] - 0.07, top[1], top[2]], [top[0] + 0.07, top[1], top[2]], 0.13, 0.13, petal, CLOTH);
    body.ball([top[0], top[1] + 0.02, top[2] + 0.1], 0.075, [0.95, 0.78, 0.2], CLOTH);
  }
}

function mushrooms(body: Body, random: Random): void {
  for (const [x, tall] of [
    [-0.25, random.between(0.5, 0.65)],
    [0.22, 0.85],
  ] as const) {
    body.cone([x, 0, 0], [x, tall - 0.1, 0], 0.1, 0.08, [0.93, 0.88, 0.78], CLOTH);
    body.cone([x, tall - 0.1, 0], [x, tall, 0], 0.28, 0.12, [0.78, 0.24, 0.16], CLOTH);
    body.ball([x + 0.1, tall, 0.2], 0.05, [0.96, 0.94, 0.9], CLOTH);
  }
}

/** Builds six posts and two rails, much wider than high. */
function fence(body: Body, random: Random): void {
  const wood = random.pick(WOODS);
  for (let k = 0; k < 6; k++) {
    const x = (k - 2.5) * 1.1;
    body.cone([x, 0, 0], [x, random.between(0.92, 1), 0], 0.085, 0.075, wood, CLOTH);
  }
  for (const y of [0.36, 0.72]) body.cone([-3.1, y, 0.06], [3.1, y, 0.06], 0.06, 0.06, scale(wood, 0.92), CLOTH);
}

function log(body: Body, random: Random): void {
  const long = random.between(0.9, 1.5);
  body.cone([-long, 0.46, 0], [long, 0.46, 0], 0.5, 0.46, BARK, ROUGH);
  body.cone([long + 0.3, 0.46, 0], [long + 0.32, 0.46, 0], 0.36, 0.36, [0.78, 0.62, 0.42], {
    pattern: "plain",
    blend: 0.02,
  });
  body.cone([0.2, 0.6, 0.2], [0.4, 1.1, 0.4], 0.14, 0.12, BARK, ROUGH);
}

function fir(body: Body, random: Random): void {
  const green: Vec = random.pick([
    [0.15, 0.32, 0.24],
    [0.2, 0.38, 0.3],
    [0.16, 0.3, 0.33],
  ]);
  body.cone([0, 0, 0], [0, 0.9, 0], 0.05, 0.02, BARK, ROUGH);
  for (const [low, high, wide] of [
    [0.14, 0.5, 0.27],
    [0.38, 0.74, 0.21],
    [0.62, 0.97, 0.14],
  ]) {
    for (let k = 0; k < 5; k++) {
      const [x, z] = around(k, 5, low);
      const snowy = random.uniform() < 0.35;
      body.cone([0, high, 0], [x * wide, low, z * wide], 0.02, wide * 0.4, snowy ? SNOW : green, snowy ? CLOTH : ROUGH);
    }
  }
}

function snowman(body: Body, random: Random): void {
  body.ball([0, 0.23, 0], 0.26, SNOW, CLOTH);
  body.ball([0, 0.56, 0], 0.19, SNOW, { pattern: "plain", blend: 0.03 });
  body.ball([0, 0.83, 0], 0.14, SNOW, { pattern: "plain", blend: 0.03 });
  body.cone([0, 0.83, 0.13], [0.03, 0.82, 0.27], 0.035, 0.012, [0.95, 0.5, 0.12], CLOTH);
  for (const s of [-1, 1]) {
    body.ball([s * 0.055, 0.88, 0.12], 0.022, [0.08, 0.08, 0.09], CLOTH);
    body.chain(
      [
        [s * 0.16, 0.6, 0],
        [s * 0.32, random.between(0.62, 0.78), 0.02],
        [s * 0.4, 0.8, 0.04],
      ],
      0.018,
      0.014,
      BARK,
      CLOTH,
    );
  }
  for (const y of [0.5, 0.6]) body.ball([0, y, 0.185], 0.02, [0.08, 0.08, 0.09], CLOTH);
}

export const OUTDOORS = {
  tree: { build: tree, girth: 0.38 },
  poplar: { build: poplar, girth: 0.16 },
  bush: { build: bush, girth: 0.75 },
  stone: { build: stone, girth: 0.8 },
  "snowy stone": { build: snowyStone, girth: 0.8 },
  flowers: { build: flowers, girth: 0.6 },
  mushrooms: { build: mushrooms, girth: 0.4 },
  fence: { build: fence, girth: 0.3 },
  log: { build: log, girth: 0.8 },
  fir: { build: fir, girth: 0.24 },
  snowman: { build: snowman, girth: 0.3 },
} as const;
