import { expect, test } from "vitest";
import { Random, UsageError } from "../../src/core/index.ts";
import { wilsonInterval } from "../../src/metrics/index.ts";

// Published values: Newcombe 1998 (Statistics in Medicine 17, table I, method 3), to four digits.
test.each([
  [81, 263, 0.2553, 0.3662],
  [15, 148, 0.0624, 0.1605],
  [0, 20, 0, 0.1611],
  [1, 29, 0.0061, 0.1718],
])("%i of %i lies between %f and %f", (hits, count, low, high) => {
  const interval = wilsonInterval(hits, count);
  expect(interval.low).toBeCloseTo(low, 4);
  expect(interval.high).toBeCloseTo(high, 4);
  expect(interval.mean).toBe(hits / count);
});

test("it covers the true share in about 95 % of the samples", () => {
  const random = new Random(7);
  const trials = 4000;
  let covered = 0;
  for (let k = 0; k < trials; k++) {
    const hits = Array.from({ length: 40 }, () => random.uniform()).filter((x) => x < 0.9).length;
    const { low, high } = wilsonInterval(hits, 40);
    if (low <= 0.9 && 0.9 <= high) covered++;
  }
  expect(covered / trials).toBeGreaterThan(0.92);
  expect(covered / trials).toBeLessThan(0.98);
});

test.each([
  [1, 0],
  [-1, 4],
  [5, 4],
  [0.5, 4],
])("%f of %f is no share", (hits, count) => expect(() => wilsonInterval(hits, count)).toThrow(UsageError));
