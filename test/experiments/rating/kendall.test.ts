import { expect, test } from "vitest";
import { kendallTauB } from "../../../src/experiments/rating/kendall.ts";

/** All comparisons of two rankings. */
const comparisons = (a: readonly number[], b: readonly number[]) =>
  a.flatMap((_, i) => a.slice(i + 1).map((x, k) => ({ first: a[i] - x, second: b[i] - b[i + 1 + k] })));

test("τ-b is scipy's, also with ties", () => {
  // scipy 1.17.1: scipy.stats.kendalltau; the first example is that of its documentation.
  expect(kendallTauB(comparisons([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]))).toBeCloseTo(-0.4714045207910316, 14);
  expect(kendallTauB(comparisons([1, 2, 2, 3, 5, 4, 4], [3, 1, 2, 2, 5, 5, 4]))).toBeCloseTo(0.5789473684210525, 14);
});

test("equal orders have τ-b 1, opposite ones −1, and a measure that decides nothing has none", () => {
  const order = [3, 1, 4, 2];
  expect(kendallTauB(comparisons(order, order))).toBe(1);
  expect(
    kendallTauB(
      comparisons(
        order,
        order.map((x) => -x),
      ),
    ),
  ).toBe(-1);
  expect(kendallTauB(comparisons(order, [7, 7, 7, 7]))).toBeUndefined();
  expect(kendallTauB([])).toBeUndefined();
});
