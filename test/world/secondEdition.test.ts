import { expect, test } from "vitest";
import { dot, sub } from "../../src/world/geometry.ts";
import {
  ANIMALS,
  benchmarkPairs,
  PAIR_KINDS,
  type Pair,
  PLACES,
  parseScene,
  render,
  renderPair,
  tuningPairs,
} from "../../src/world/index.ts";
import { lookOf } from "../../src/world/look/draw.ts";
import { compose } from "../../src/world/shot.ts";
import { changedShare, keptScenes, sampled, scene, second, sha256, silhouette, splitOf } from "./scenes.ts";

const benchmark = benchmarkPairs(2);
const tuning = tuningPairs(2);

// If these change, the second edition has changed, and models trained on it no longer fit it.
const hashes = [
  "4c78a095a715071b",
  "ae841ba326acccfa",
  "bba4acd717e58f3d",
  "5d02394b1dbc85ed",
  "893894edf0631826",
  "184b32b753a2bb15",
];
test.each(keptScenes.map((kept, k) => ({ ...kept, hash: hashes[k] })))(
  "$fields.animal: a scene of the second edition gives the same bytes on every machine",
  ({ fields, size, hash }) => {
    expect(sha256(render(second(fields), size).data)).toBe(hash);
  },
);

test("a scene without an edition is of the first", () => {
  expect(render(scene({ edition: 1 }), 32)).toEqual(render(scene(), 32));
  expect(changedShare(render(second(), 32).data, render(scene(), 32).data)).toBeGreaterThan(0.3);
});

test("the second edition's benchmark and tuning set are the same pairs on every machine", () => {
  expect(sha256(JSON.stringify(benchmark))).toBe("640a55a5dcf3167a");
  expect(sha256(JSON.stringify(tuning))).toBe("d81e5d18ec32e13f");
});

test("pictures and masks of the pairs are the same bytes on every machine (a sample)", () => {
  const hashes = [...[0, 50, 75, 120, 190].map((i) => benchmark[i]), tuning[7]].map((pair) => {
    const { before, after, mask } = renderPair(pair, 48);
    return sha256(Buffer.concat([before.data, after.data, mask.data]));
  });
  expect(hashes).toEqual([
    "23721c2ce23aa9f6",
    "639c1be6edd171f7",
    "296866ea6b57f9e3",
    "a831bfa82ce0513e",
    "5a7101c8798e01d0",
    "f7f39b2c557fda9e",
  ]);
});

const seeds = (pairs: readonly Pair[]): Set<number> =>
  new Set(pairs.flatMap(({ before }) => [before.viewSeed, before.bodySeed]));

test("the sets have 200 and 60 pairs of all kinds, with names and seeds of their own that training never sees", () => {
  expect([benchmark.length, tuning.length]).toEqual([200, 60]);
  const first = [...benchmarkPairs(1), ...tuningPairs(1)];
  const all = [...first, ...benchmark, ...tuning];
  expect(new Set(all.map(({ name }) => name)).size).toBe(520);
  expect(seeds(all).size).toBe(2 * 520);
  for (const [split, pairs] of [
    ["benchmark", benchmark],
    ["tuning", tuning],
  ] as const) {
    expect(new Set(pairs.map(({ kind }) => kind))).toEqual(new Set(PAIR_KINDS));
    for (const { before, after } of pairs) {
      expect([splitOf(before), splitOf(after)]).toEqual([split, split]);
      for (const side of [before, after]) expect(parseScene(side)).toEqual(side);
      expect([before.edition, after.edition]).toEqual([2, 2]);
      expect([after.viewSeed, after.bodySeed]).toEqual([before.viewSeed, before.bodySeed]);
    }
  }
});

test("a pose pair keeps every pixel outside the two animals and their shadows, including things in the place", () => {
  for (const pair of benchmark.filter(({ kind }) => kind === "pose").slice(0, 10)) {
    const { before, after, mask } = renderPair(pair, 64);
    const animals = [pair.before, pair.after].map((side) => silhouette(side, 64).data);
    let elsewhere = 0;
    let kept = 0;
    for (const [i, x] of mask.data.entries()) {
      if (animals.some((shown) => shown[i] === 255)) continue;
      elsewhere++;
      if (x === 255) kept++;
      // Everything else that changes is shadow, which removes at most the sunlight.
      const [a, b] = [before, after].map(({ data }) => data[3 * i] + data[3 * i + 1] + data[3 * i + 2]);
      expect(x === 255 || Math.min(a, b) / Math.max(a, b) > 0.1, pair.name).toBe(true);
    }
    expect(kept / elsewhere, pair.name).toBeGreaterThan(0.5);
  }
});

test("another colour changes only the animal; an expression or an added thing changes nothing else by more than its shadow", () => {
  const of = (kind: string, count: number): Pair[] => benchmark.filter((pair) => pair.kind === kind).slice(0, count);
  for (const pair of [...of("colour", 5), ...of("expression", 5), ...of("add", 10)]) {
    const { before, after } = renderPair(pair, 64);
    const [was, is] = [pair.before, pair.after].map((side) => silhouette(side, 64).data);
    const near = (i: number): boolean =>
      [-65, -64, -63, -1, 0, 1, 63, 64, 65].some((step) => was[i + step] === 255 || is[i + step] === 255);
    for (let i = 0; i < was.length; i++) {
      if (near(i)) continue;
      const changes = [0, 1, 2].map((c) => after.data[3 * i + c] - before.data[3 * i + c]);
      if (pair.kind === "colour") expect(changes, pair.name).toEqual([0, 0, 0]);
      // Four grey levels more are the rounding of an edge.
      expect(Math.max(...changes), pair.name).toBeLessThanOrEqual(4);
    }
  }
});

test("an eye is at least five pixels wide in a picture of 128", () => {
  for (const one of sampled(200, 17)) {
    if (one.expression === "eyes closed") continue;
    const { parts, eye, ahead, lens } = compose(one);
    const white = lookOf(one).individual.eye;
    const radii = parts
      .filter(({ head, colour }) => head && colour === white)
      .map(({ a, ra }) => (64 * ra) / (lens * dot(sub(a, eye), ahead)));
    expect(radii).toHaveLength(2);
    expect(2 * Math.max(...radii), JSON.stringify(one)).toBeGreaterThan(5);
  }
});

test("every pose fills the picture and is never cut off, wherever the camera is", () => {
  for (const one of sampled(120, 18)) {
    if (one.framing === "portrait") continue;
    const { data } = silhouette(one, 64);
    const set = [...data.keys()].filter((i) => data[i] === 255);
    const [columns, rows] = [new Set(set.map((i) => i % 64)), new Set(set.map((i) => i >> 6))];
    expect(Math.max(columns.size, rows.size) / 64, JSON.stringify(one)).toBeGreaterThan(0.5);
    for (const border of [0, 63]) expect(columns.has(border) || rows.has(border), JSON.stringify(one)).toBe(false);
  }
});

test("every place can be recognised, whatever stands in it", () => {
  for (const animal of ANIMALS) {
    const pictures = PLACES.map((place) => render(second({ animal, place }), 48).data);
    for (const [i, one] of pictures.entries())
      for (const other of pictures.slice(i + 1)) expect(changedShare(one, other)).toBeGreaterThan(0.25);
  }
});

test("a picture of the second edition takes less than five times as long as one of the first", () => {
  const time = { first: 0, second: 0 };
  for (const one of sampled(12, 19)) {
    const { edition: _, ...first } = one;
    for (const [name, what] of [
      ["first", first],
      ["second", one],
    ] as const) {
      const start = process.cpuUsage();
      render(what, 96);
      time[name] += process.cpuUsage(start).user;
    }
  }
  expect(time.second / time.first).toBeLessThan(5);
});
