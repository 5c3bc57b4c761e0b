import { expect, test } from "vitest";
import type { Picture } from "../../src/core/index.ts";
import {
  benchmarkPairs,
  isHeldOutScene,
  keptMask,
  PAIR_KINDS,
  type Pair,
  type PairKind,
  parseScene,
  type RenderedPair,
  renderPair,
  tuningPairs,
  vocabulary,
} from "../../src/world/index.ts";
import { sha256, silhouette, splitOf } from "./scenes.ts";

const SIZE = 64;
// The second edition has tests of its own.
const benchmark = benchmarkPairs(1);
const tuning = tuningPairs(1);
const of = (kind: PairKind, count: number): Pair[] => benchmark.filter((p) => p.kind === kind).slice(0, count);

const pictures = new Map<string, RenderedPair>();
function rendered(pair: Pair): RenderedPair {
  const known = pictures.get(pair.name) ?? renderPair(pair, SIZE);
  pictures.set(pair.name, known);
  return known;
}

const share = (data: Uint8Array): number => data.filter((x) => x === 255).length / data.length;

test("the benchmark and the tuning set are the same pairs on every machine", () => {
  expect(sha256(JSON.stringify(benchmark))).toBe("7ed2fc18dd1f1f0a");
  expect(sha256(JSON.stringify(tuning))).toBe("c5dbc8d3820c8a62");
});

test("pictures and masks of the benchmark are the same bytes on every machine (a sample)", () => {
  const hashes = [0, 50, 75, 120, 190].map((i) => {
    const { before, after, mask } = renderPair(benchmark[i], 48);
    return sha256(Buffer.concat([before.data, after.data, mask.data]));
  });
  expect(hashes).toEqual([
    "e165eefe391a1964",
    "5cf0aaf757e6bba3",
    "03b078948a5aafc0",
    "18ed0ef73530a240",
    "3c8a7ac1a31a7f6e",
  ]);
});

test("the benchmark has 200 pairs of all kinds with different names, half of them held out", () => {
  expect(benchmark).toHaveLength(200);
  expect(benchmark.filter((p) => p.heldOut)).toHaveLength(100);
  expect(new Set(benchmark.map((p) => p.kind))).toEqual(new Set(PAIR_KINDS));
  expect(new Set([...benchmark, ...tuning].map((p) => p.name)).size).toBe(260);
});

test("the seeds of pairs belong to their split, so training never sees them", () => {
  for (const [split, pairs] of [
    ["benchmark", benchmark],
    ["tuning", tuning],
  ] as const) {
    for (const { before, after } of pairs) expect([splitOf(before), splitOf(after)]).toEqual([split, split]);
  }
});

test("a pair is held out if its scene after the edit is; training shows both sides of every other pair", () => {
  for (const pair of [...benchmark, ...tuning]) {
    expect(isHeldOutScene(pair.after)).toBe(pair.heldOut);
    if (!pair.heldOut) expect(isHeldOutScene(pair.before)).toBe(false);
    if (["pose", "colour", "several"].includes(pair.kind)) expect(isHeldOutScene(pair.before)).toBe(false);
  }
});

test("a pair changes only the attributes that its kind names", () => {
  const allowed: Record<PairKind, readonly string[]> = {
    pose: ["pose"],
    add: ["wearing", "beside"],
    background: ["place"],
    style: ["style"],
    expression: ["expression"],
    colour: ["colour"],
    several: ["pose", "colour", "place", "wearing", "beside"],
  };
  for (const { kind, before, after, source, target } of [...benchmark, ...tuning]) {
    const keys = Object.keys(before) as (keyof typeof before)[];
    const changed = keys.filter((key) => before[key] !== after[key]);
    expect(changed).toHaveLength(kind === "several" ? 2 : 1);
    for (const key of changed) expect(allowed[kind]).toContain(key);
    expect(source).not.toBe(target);
    expect(parseScene(before)).toEqual(before);
    expect(parseScene(after)).toEqual(after);
  }
});

test("captions of pairs name animal and colour and use the vocabulary", () => {
  const known = new Set(vocabulary());
  for (const { source, target, before, after } of benchmark) {
    expect(source).toContain(`${before.colour} ${before.animal}`);
    expect(target).toContain(`${after.colour} ${after.animal}`);
    expect([...source.split(" "), ...target.split(" ")].filter((word) => !known.has(word))).toEqual([]);
  }
});

/** Sets all pixels within `reach` of a set one. */
function grown(data: Uint8Array, reach: number): Uint8Array {
  return data.map((_, i) => {
    const [x, y] = [i % SIZE, Math.floor(i / SIZE)];
    for (let v = Math.max(0, y - reach); v <= Math.min(SIZE - 1, y + reach); v++) {
      for (let u = Math.max(0, x - reach); u <= Math.min(SIZE - 1, x + reach); u++) if (data[v * SIZE + u]) return 1;
    }
    return 0;
  });
}

test("pose pairs differ only on the two animals and in their shadows, which only darken", () => {
  for (const pair of of("pose", 12)) {
    const { before, after } = rendered(pair);
    const one = grown(silhouette(pair.before, SIZE).data, 1);
    const two = grown(silhouette(pair.after, SIZE).data, 1);
    let elsewhere = 0;
    let same = 0;
    for (let i = 0; i < SIZE * SIZE; i++) {
      if (one[i] || two[i]) continue;
      elsewhere++;
      const [a, b] = [luma(before, i), luma(after, i)];
      if (a === b) same++;
      // A shadow removes at most the sunlight; it never turns one ground into another.
      expect(Math.min(a, b) / Math.max(a, b)).toBeGreaterThan(0.3);
    }
    expect(same / elsewhere).toBeGreaterThan(0.6);
  }
});

const luma = ({ data }: Picture, i: number): number => data[3 * i] + data[3 * i + 1] + data[3 * i + 2];

test("another colour or expression changes only the animal; an added thing changes only itself and its shadow", () => {
  for (const pair of [...of("colour", 6), ...of("expression", 6), ...of("add", 12)]) {
    const { before, after } = rendered(pair);
    const shown = grown(silhouette(pair.after, SIZE).data, 1);
    const elsewhere = [...shown.keys()].filter((i) => !shown[i] && luma(before, i) !== luma(after, i));
    if (pair.kind !== "add") expect(elsewhere, pair.name).toEqual([]);
    // One grey level in each channel is rounding.
    for (const i of elsewhere) expect(luma(after, i), pair.name).toBeLessThanOrEqual(luma(before, i) + 3);
  }
});

test("kept pixels are equal and not close to a changed one", () => {
  for (const kind of PAIR_KINDS) {
    for (const pair of of(kind, 3)) {
      const { before, after, mask } = rendered(pair);
      if (kind === "style") {
        expect(share(mask.data)).toBe(0);
        continue;
      }
      const changed = new Uint8Array(SIZE * SIZE);
      for (let i = 0; i < changed.length; i++) {
        if ([0, 1, 2].some((c) => Math.abs(before.data[3 * i + c] - after.data[3 * i + c]) > 2)) changed[i] = 1;
      }
      expect(mask.data).toEqual(grown(changed, 1).map((x) => (x ? 0 : 255)));
    }
  }
});

test("an added thing, an expression and a pose keep most of the picture; a new background keeps the animal", () => {
  const kept = (kind: PairKind): number[] => of(kind, 6).map((pair) => share(rendered(pair).mask.data));
  for (const x of kept("add")) expect(x).toBeGreaterThan(0.75);
  for (const x of kept("expression")) expect(x).toBeGreaterThan(0.6);
  for (const x of kept("pose")) expect(x).toBeGreaterThan(0.3);
  for (const pair of of("background", 6)) {
    const { mask } = rendered(pair);
    const animal = silhouette(pair.before, SIZE).data;
    const inside = mask.data.filter((_, i) => animal[i] === 255);
    expect(share(inside)).toBeGreaterThan(0.45);
    expect(share(mask.data.filter((_, i) => animal[i] === 0))).toBeLessThan(0.3);
  }
});

test("a picture keeps all of itself; one changed pixel removes its neighbours from the mask", () => {
  const data = new Uint8Array(3 * 16 * 16).fill(100);
  const picture = { width: 16, height: 16, data };
  expect(share(keptMask(picture, picture).data)).toBe(1);
  const touched = { ...picture, data: data.slice() };
  touched.data[3 * (5 * 16 + 7)] = 110;
  const lost = [...keptMask(picture, touched).data].flatMap((x, i) =>
    x === 0 ? [`${i % 16},${Math.floor(i / 16)}`] : [],
  );
  expect(lost.sort()).toEqual([4, 5, 6].flatMap((y) => [6, 7, 8].map((x) => `${x},${y}`)).sort());
});
