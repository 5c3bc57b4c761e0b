import { expect, test } from "vitest";
import { alphas, type Measured, median, reportOf, verdicts } from "../../bench/regime/report.ts";

const score = (done: boolean, kept: number) => ({ done, kept, truth: 20 });

/** A pair whose edits are done from range `from` of α on, and keep `more` dB more than plain sampling at each range. */
const pair = (name: string, from: number, more: readonly number[], isPose = true): Measured => ({
  name,
  kind: isPose ? "pose" : "colour",
  isPose,
  reconstruction: 38,
  drift: [0.1, 0.2],
  plain: score(true, 20),
  edits: alphas.map((_, k) => score(k >= from, 20 + more[k])),
});
const falling = [4, 3, 2.5, 2, 1, 0];
const told = (pairs: readonly Measured[], distance = 0.4): string[] =>
  verdicts(pairs, distance).map((line) => line.slice(2).split(":")[0]);

test("the median of an odd and an even number of values", () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7]);
});

test("in the paper's regime every condition holds", () => {
  expect(told([pair("a", 0, falling), pair("b", 1, falling)])).toEqual(Array(6).fill("holds"));
});

test.each([
  ["a poor reconstruction", { ...pair("a", 0, falling), reconstruction: 35 }, 0.4, 0],
  ["a drift of more than half a distance", pair("a", 0, falling), 0.29, 1],
  ["poses that are not made", pair("a", 2, falling), 0.4, 2],
  ["little kept", pair("a", 0, [1.9, 1.9, 1, 1, 1, 0]), 0.4, 3],
  ["a rise of what is kept", pair("a", 0, [4, 3, 3.1, 2, 1, 0]), 0.4, 5],
] as const)("%s does not hold, alone", (_, one, distance, at) => {
  expect(told([one], distance)).toEqual(Array.from({ length: 6 }, (_, k) => (k === at ? "does not hold" : "holds")));
});

test("an edit that is lost again as α falls does not hold", () => {
  const one = pair("a", 0, falling);
  const edits = one.edits.map((edit, k) => ({ ...edit, done: k < 5 }));
  expect(told([{ ...one, edits }])[4]).toBe("does not hold");
});

test("without a pair that changes the pose, poses cannot be told", () => {
  expect(told([pair("a", 0, falling, false)])[2]).toBe("cannot be told");
});

test("the report shows edits as differences to plain sampling", () => {
  const report = reportOf([pair("a", 0, falling), pair("b", 3, falling)], { colour: 0.4, pose: 0.6 });
  expect(report).toContain("| plain | 2/2 | 2/2 | 20.0 | 20.0 |");
  expect(report).toContain("| 0.8:0.1 | 1/2 | 1/2 | +3.0 (+3.0 to +3.0) |");
  expect(report).toContain("of these 0.50.");
});
