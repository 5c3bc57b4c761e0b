import { expect, test } from "vitest";
import { Random, UsageError } from "../../src/core/index.ts";
import { bootstrapInterval, pairedDifferences } from "../../src/metrics/index.ts";
import { readJson } from "./folders.ts";

const normals = (count: number, seed: number): number[] => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.normal());
};

test("the interval equals scipy's percentile interval, up to random drawing", () => {
  // Made by tools/parity/metrics.py.
  const { values, level, low, high } = readJson("metrics.json").bootstrap as {
    values: number[];
    level: number;
    low: number;
    high: number;
  };
  const found = bootstrapInterval(values, { level, samples: 40_000, seed: 3 });
  const tolerance = 0.02 * (high - low);
  expect(Math.abs(found.low - low)).toBeLessThan(tolerance);
  expect(Math.abs(found.high - high)).toBeLessThan(tolerance);
});

test("for many values the interval is the normal one: mean ± 1.96·s/√n", () => {
  const values = normals(400, 1);
  const { mean, low, high, count } = bootstrapInterval(values);
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count);
  expect(count).toBe(400);
  expect((mean - low) / (deviation / 20)).toBeCloseTo(1.96, 0);
  expect(Math.abs((high - low) / (2 * 1.96 * (deviation / 20)) - 1)).toBeLessThan(0.04);
});

test("the interval covers the true mean about as often as its level promises", () => {
  const runs = 300;
  const covered = Array.from({ length: runs }, (_, run) => {
    const { low, high } = bootstrapInterval(normals(40, 1000 + run), { samples: 400, seed: run });
    return low <= 0 && 0 <= high;
  }).filter(Boolean).length;
  // Four standard errors of the share of 300 are 0.05; the percentile interval of 40 values covers about 0.94.
  expect(covered / runs).toBeGreaterThan(0.89);
  expect(covered / runs).toBeLessThan(0.99);
});

test("shifting and scaling the values shifts and scales the interval", () => {
  const values = normals(30, 4);
  const plain = bootstrapInterval(values, { samples: 500 });
  const moved = bootstrapInterval(
    values.map((x) => 3 * x + 5),
    { samples: 500 },
  );
  for (const key of ["mean", "low", "high"] as const) expect(moved[key]).toBeCloseTo(3 * plain[key] + 5, 10);
});

test("a wider level gives a wider interval, one seed one interval, another seed another", () => {
  const values = normals(30, 5);
  const at = (level: number, seed = 0) => bootstrapInterval(values, { level, seed, samples: 2000 });
  expect(at(0.99).low).toBeLessThan(at(0.9).low);
  expect(at(0.99).high).toBeGreaterThan(at(0.9).high);
  expect(at(0.95)).toEqual(at(0.95));
  expect(at(0.95, 1)).not.toEqual(at(0.95));
});

test("equal values have an interval of width 0", () => {
  for (const values of [
    [0.5, 0.5],
    [2, 2, 2],
  ]) {
    expect(bootstrapInterval(values)).toEqual({
      mean: values[0],
      low: values[0],
      high: values[0],
      count: values.length,
    });
  }
});

test.each([
  [[], {}, /values: found 0, expected at least two/],
  [[1], {}, /values: found 1, expected at least two/],
  [[1, Number.POSITIVE_INFINITY], {}, /values: found Infinity/],
  [[1, Number.NaN], {}, /values: found NaN/],
  [[1, 2], { level: 1 }, /level: found 1/],
  [[1, 2], { level: Number.NaN }, /level: found NaN/],
  [[1, 2], { samples: 0 }, /samples: found 0/],
  [[1, 2], { samples: 2.5 }, /samples: found 2\.5/],
])("%j with %j is refused", (values, options, message) => {
  expect(() => bootstrapInterval(values, options)).toThrow(UsageError);
  expect(() => bootstrapInterval(values, options)).toThrow(message);
});

test("differences use the pairs in which both values exist", () => {
  expect(pairedDifferences([3, undefined, 5, 1], [1, 2, undefined, 4])).toEqual([2, -3]);
  expect(() => pairedDifferences([1, 2], [1])).toThrow(UsageError);
});
