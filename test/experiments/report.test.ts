import { expect, test } from "vitest";
import { methodsReport, type Outcome } from "../../src/experiments/index.ts";

const cost = (seconds: number, evaluations: number, gradients: number) => ({ seconds, evaluations, gradients });
const outcome = (method: string, k: number, more: Partial<Outcome> = {}): Outcome => ({
  pair: `pair-${k}`,
  kind: "colour",
  heldOut: k % 2 === 1,
  target: "a red dog",
  method,
  kept: method === "baret" ? 30 + (k % 3) : 20 + (k % 2),
  truth: method === "baret" ? 25 : 26,
  ceiling: 40,
  costs: { prepare: cost(k, 50, method === "baret" ? 10 : 0), edit: cost(1, 100, 0) },
  requested: ["colour"],
  found: method === "baret" ? ["colour"] : [],
  foundInTruth: ["colour"],
  ...more,
});
const outcomes = (pairs: number): Outcome[] =>
  Array.from({ length: pairs }, (_, k) => [outcome("baret", k), outcome("plain", k)]).flat();
const report = (pairs: number): string[] => methodsReport(outcomes(pairs), "baret").split("\n");
const rowsOf = (lines: readonly string[], name: string): string[][] =>
  lines
    .filter((line) => line.startsWith(`| ${name} |`))
    .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "")));

test("each method has a row of means; seconds are medians, so that one slow first edit does not count", () => {
  const [baret, plain] = ["baret", "plain"].map((name) => rowsOf(report(4), name)[0]);
  expect(baret).toEqual(["baret", "4", "100 %", "30.8", "25.0", "1.5", "1.0", "150", "10"]);
  expect(plain).toEqual(["plain", "4", "0 %", "20.5", "26.0", "1.5", "1.0", "150", "0"]);
  expect(report(4)[0]).toBe("4 pairs. The judge finds 4 of 4 requested changes in the true results (100.0 %).");
});

test("fewer than ten pairs have a mean difference, but no interval", () => {
  for (const pairs of [1, 2, 9]) {
    const [, [, done, kept, truth]] = rowsOf(report(pairs), "plain");
    expect([done, truth]).toEqual([`-100, ${pairs} pairs`, `1.00, ${pairs} pairs`]);
    expect(kept).toMatch(/^-\d+\.\d\d, \d pairs$/);
  }
});

test("from ten pairs on, a difference has its interval, and is bold if the interval excludes 0", () => {
  const [, [, done, kept, truth]] = rowsOf(report(10), "plain");
  expect([done, truth]).toEqual(["**-100** (-100 to -100)", "**1.00** (1.00 to 1.00)"]);
  expect(kept).toMatch(/^\*\*-\d+\.\d\d\*\* \(-\d+\.\d\d to -\d+\.\d\d\)$/);
  const noisy = outcomes(12).map((one, k) => ({ ...one, truth: 25 + (one.method === "plain" ? Math.sin(k) : 0) }));
  const [, cells] = rowsOf(methodsReport(noisy, "baret").split("\n"), "plain");
  expect(cells[3]).toMatch(/^-?\d\.\d\d \(-\d\.\d\d to \d\.\d\d\)$/);
});

test("differences are over the pairs that both methods have, and an absent or infinite value does not count", () => {
  const some = outcomes(12).filter(({ method, pair }) => method === "baret" || pair !== "pair-3");
  const holes = some.map((one) => ({
    ...one,
    kept: one.pair === "pair-5" ? undefined : one.pair === "pair-6" ? Number.POSITIVE_INFINITY : one.kept,
  }));
  const lines = methodsReport(holes, "baret").split("\n");
  expect(rowsOf(lines, "plain")[0][1]).toBe("11");
  expect(rowsOf(lines, "plain")[0][3]).toBe("20.4");
  expect(lines.join("\n")).not.toMatch(/NaN|Infinity|undefined/);
});

test("pairs are counted by training and by kind", () => {
  const lines = report(4);
  expect(rowsOf(lines, "combinations held out").map((row) => row[1])).toEqual(["2", "2", "2"]);
  expect(rowsOf(lines, "colour, held out")).toEqual([
    ["colour, held out", "2", "100 %", "0 %"],
    ["colour, held out", "2", "30.5", "21.0"],
    ["colour, held out", "2", "25.0", "26.0"],
  ]);
});

test("a judge that misses a requested change in a true result is not trusted", () => {
  const missed = outcomes(4).map((one) => (one.pair === "pair-2" ? { ...one, foundInTruth: [] } : one));
  expect(methodsReport(missed, "baret")).toContain(
    'finds 3 of 4 requested changes in the true results (75.0 %): below 99 %, so "done" does not count.',
  );
});
