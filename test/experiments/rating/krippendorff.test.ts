import { expect, test } from "vitest";
import { alphaOf, coincidencesOf, type Level } from "../../../src/experiments/rating/krippendorff.ts";

const _ = undefined;
/** Rows are raters, columns are units: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section D. */
const published = [
  [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
  [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
  [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
  [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
];
/** α of ratings 1 to 5, some of them missing. */
const alpha = (units: readonly (readonly (number | undefined)[])[], level: Level): number | undefined =>
  alphaOf(
    coincidencesOf(
      units.map((unit) => unit.filter((x) => x !== undefined).map((x) => x - 1)),
      5,
    ),
    5,
    level,
  );
const unitsOf = (raters: readonly (readonly (number | undefined)[])[]) =>
  raters[0].map((_, u) => raters.map((row) => row[u]));

test("α of Krippendorff's own example is the published one", () => {
  expect(alpha(unitsOf(published), "nominal")).toBeCloseTo(0.743, 3);
  expect(alpha(unitsOf(published), "ordinal")).toBeCloseTo(0.815, 3);
});

test("α has all digits of the Python package krippendorff", () => {
  // krippendorff 0.9.0: krippendorff.alpha(published, level_of_measurement="nominal" and "ordinal").
  expect(alpha(unitsOf(published), "nominal")).toBeCloseTo(0.743421052631579, 14);
  expect(alpha(unitsOf(published), "ordinal")).toBeCloseTo(0.8153875037548814, 14);
});

test("equal ratings of different things agree fully, opposite ones less than by chance", () => {
  const agreeing = [1, 2, 5, 3].map((x) => [x, x, x]);
  for (const level of ["nominal", "ordinal"] as const) expect(alpha(agreeing, level)).toBe(1);
  const opposite = [
    [1, 5],
    [5, 1],
  ];
  expect(alpha(opposite, "ordinal")).toBeLessThan(0);
});

test("a near miss costs ordinal α less than a far one, and nominal α the same", () => {
  const rest = [1, 2, 3, 4, 5].map((x) => [x, x]);
  const after = (miss: number[], level: Level) => alpha([...rest, ...rest, miss], level)!;
  expect(after([1, 2], "ordinal")).toBeGreaterThan(after([1, 5], "ordinal") + 0.1);
  expect(after([1, 2], "nominal")).toBe(after([1, 5], "nominal"));
});

test("things that one rater rated, or nobody, change nothing", () => {
  const units = unitsOf(published);
  expect(alpha([...units, [3, _, _, _], [_, _, _, _], []], "ordinal")).toBe(alpha(units, "ordinal"));
});

test("without two ratings of a thing, or with equal ratings only, there is no α", () => {
  expect(alpha([], "ordinal")).toBeUndefined();
  expect(alpha([[1], [2, _]], "ordinal")).toBeUndefined();
  expect(
    alpha(
      [
        [3, 3],
        [3, 3],
      ],
      "ordinal",
    ),
  ).toBeUndefined();
});
