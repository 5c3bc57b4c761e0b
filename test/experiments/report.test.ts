import { expect, test } from "vitest";
import { type Outcome, qualityReport } from "../../src/experiments/index.ts";

const outcome = (k: number): Outcome => ({
  name: `pair-${k}`,
  kind: "colour",
  heldOut: false,
  target: "a red dog",
  baret: { kept: 30 + (k % 3), truth: 25 },
  plain: { kept: 20 + (k % 2), truth: 26 },
  ceiling: 40,
  reconstruction: 35,
  iterations: 100,
  seconds: 3,
  requested: ["colour"],
  found: { truth: ["colour"], baret: ["colour"], plain: [] },
});
const report = (pairs: number): string[] =>
  qualityReport(Array.from({ length: pairs }, (_, k) => outcome(k))).split("\n");

test("fewer than ten pairs have a mean, but neither an interval nor a verdict", () => {
  for (const pairs of [1, 2, 9]) {
    const lines = report(pairs).filter((line) => line.includes("BARET − plain, all"));
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).toMatch(new RegExp(`dB, ${pairs} pairs?: too few for an interval`));
      expect(line).not.toMatch(/95 %|better|no difference/);
    }
  }
});

test("from ten pairs on, the interval comes with its verdict", () => {
  const [kept, truth] = report(10).filter((line) => line.includes("BARET − plain, all"));
  expect(kept).toMatch(/95 % interval .* 10 pairs: BARET is better/);
  expect(truth).toMatch(/10 pairs: plain sampling is better/);
});
