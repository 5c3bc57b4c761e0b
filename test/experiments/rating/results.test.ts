import { expect, test } from "vitest";
import type { Answer, ByRater, Choice, RaterFile } from "../../../src/experiments/rating/answers.ts";
import { methodPreferences } from "../../../src/experiments/rating/preferences.ts";
import { planQuestions } from "../../../src/experiments/rating/questions.ts";
import { ratingResults } from "../../../src/experiments/rating/results.ts";
import { methodScores } from "../../../src/experiments/rating/scores.ts";
import type { Study } from "../../../src/experiments/rating/study.ts";
import { average } from "../../../src/metrics/index.ts";
import { answerTo, madeStudy, type Simulation, simulate } from "./simulated.ts";

const study = madeStudy(12, 3);
const valuesBy = (of: (method: string) => number) =>
  Object.fromEntries(study.cases.map((one) => [one.case, Object.fromEntries(["a", "b", "c"].map((m) => [m, of(m)]))]));
const rank = (method: string): number => method.charCodeAt(0);
const metrics: Study["metrics"] = [
  { name: "agrees", better: "higher", values: valuesBy((m) => -rank(m)) },
  { name: "distance", better: "lower", values: valuesBy(rank) },
  { name: "disagrees", better: "higher", values: valuesBy(rank) },
  { name: "equal", better: "higher", values: valuesBy(() => 1) },
  { name: "unknown", better: "higher", values: {} },
];

/** Answers of raters, each with the answers that `wanted` names, or else in the order of the letters. */
function files(names: readonly string[], wanted: (rater: string) => number | Choice | undefined = () => undefined) {
  return new Map(
    names.map((rater): [string, RaterFile] => {
      const answers = (["score", "pairs"] as const).flatMap((mode) =>
        planQuestions(study, mode, { rater, seed: 0 }).map((question): Answer => answerTo(question, wanted(rater))),
      );
      return [rater, { answers, broken: 0 }];
    }),
  );
}

test("raters of one mind agree with each other, with themselves and with a metric of that order", () => {
  const { score, pairs, raters } = ratingResults({ ...study, metrics }, files(["ann", "bob"]));
  expect(raters).toEqual(["ann", "bob"]);
  expect(score!.methods.map(({ overCases }) => overCases.value)).toEqual([5, 4, 3]);
  expect(score!.methods[0]).toMatchObject({ answers: 24, overCases: { low: 5, high: 5, n: 12 } });
  expect(score!.methods[0].overRaters).toEqual({ value: 5, n: 2 });
  expect(pairs!.methods.map(({ won }) => won)).toEqual([1, 0.5, 0]);
  expect(pairs).toMatchObject({ answers: 72, raters: 2, cases: 12, ties: 0 });
  for (const results of [score!, pairs!]) {
    expect(results.alpha.value).toBeCloseTo(1, 12);
    expect(results.consistency.equal.value).toBe(1);
    expect(results.metrics.map(({ metric, tau }) => [metric, tau.value])).toEqual([
      ["agrees", 1],
      ["distance", 1],
      ["disagrees", -1],
      ["equal", undefined],
      ["unknown", undefined],
    ]);
  }
});

test("repeats count for self-consistency alone", () => {
  const one = files(["ann"]).get("ann")!;
  const answers = one.answers.map((answer): Answer => {
    if (!answer.repeat) return answer;
    return answer.mode === "score" ? { ...answer, score: answer.score - 1 } : { ...answer, choice: "bad" };
  });
  const plain = ratingResults(study, new Map([["ann", one]]));
  const changed = ratingResults(study, new Map([["ann", { answers, broken: 0 }]]));
  expect(changed.score!.methods).toEqual(plain.score!.methods);
  expect(changed.pairs!.methods).toEqual(plain.pairs!.methods);
  expect(changed.score!.consistency).toMatchObject({ equal: { value: 0, n: 4 }, near: { value: 1, n: 4 } });
  expect(changed.pairs!.consistency).toMatchObject({ equal: { value: 0, low: 0, n: 4 } });
  expect(changed.pairs!.consistency.near).toBeUndefined();
});

test("a rater of one mind keeps it if left and right are exchanged, and one who always says left does not", () => {
  const always = ratingResults(
    study,
    files(["ann"], () => "left"),
  );
  expect(always.pairs!.consistency.equal).toMatchObject({ value: 0, n: 4 });
});

test('ties and "both are bad" are no preference; "both are bad" is counted by itself', () => {
  const given = files(["ann", "bob"], (rater) => (rater === "ann" ? "tie" : "bad"));
  const { pairs } = ratingResults(study, given);
  for (const { strength, won, bad, comparisons } of pairs!.methods) {
    expect(strength.value).toBeCloseTo(0, 8);
    expect({ won, bad, comparisons }).toEqual({ won: 0.5, bad: 0.5, comparisons: 48 });
  }
  expect(Number.isFinite(pairs!.ties)).toBe(true);
});

test("fewer than ten photos or raters have no interval", () => {
  const few = madeStudy(9, 2);
  const { score, pairs } = ratingResults(
    few,
    simulate(few, { strengths: [1, 0], raters: 2, ties: 0.5, byCase: 0, seed: 1 }),
  );
  expect(Object.keys(score!.methods[0].overCases)).toEqual(["value", "n"]);
  expect(Object.keys(pairs!.methods[0].strength)).toEqual(["value", "n"]);
});

test("answers about other pictures and broken lines are counted and left out", () => {
  const given = files(["ann"]);
  const [first, ...others] = study.cases;
  const changed = {
    cases: [{ ...first, edits: first.edits.map((edit) => ({ ...edit, file: `new-${edit.file}` })) }, ...others],
  };
  const { score, outdated, broken } = ratingResults(changed, new Map([["ann", { ...given.get("ann")!, broken: 2 }]]));
  expect(score!.cases).toBe(11);
  expect(outdated).toBe(given.get("ann")!.answers.filter((answer) => answer.case === "case-0").length);
  expect(broken).toBe(2);
});

test("no answers give no results", () => {
  expect(ratingResults(study, new Map())).toEqual({ raters: [], outdated: 0, broken: 0 });
  expect(ratingResults(study, new Map([["ann", { answers: [], broken: 0 }]]))).toEqual({
    raters: [],
    outdated: 0,
    broken: 0,
  });
});

const strengths = [1, 0.4, -0.4, -1];

test("simulated raters: the order of the methods is found, by scores and by comparisons", () => {
  const many = madeStudy(40, 4);
  const results = ratingResults(many, simulate(many, { strengths, raters: 5, ties: 0.6, byCase: 0.4, seed: 5 }));
  const ordered = (values: readonly (number | undefined)[]) => values.every((x, k) => k === 0 || x! < values[k - 1]!);
  expect(ordered(results.score!.methods.map(({ overCases }) => overCases.value))).toBe(true);
  expect(ordered(results.pairs!.methods.map(({ strength }) => strength.value))).toBe(true);
  for (const [k, { strength }] of results.pairs!.methods.entries()) expect(strength.value).toBeCloseTo(strengths[k], 0);
  expect(results.pairs!.ties).toBeCloseTo(0.6, 1);
});

/** All answers of simulated raters in one mode, without repeats. */
const simulated = <M extends "score" | "pairs">(mode: M, made: Study, simulation: Simulation) =>
  [...simulate(made, simulation)].flatMap(([rater, { answers }]) =>
    answers.filter((one) => !one.repeat).flatMap((one) => (one.mode === mode ? [{ ...one, rater }] : [])),
  ) as ByRater<Extract<Answer, { mode: M }>>[];

test("simulated raters: intervals cover true strengths and scores about as often as 95 %", { timeout: 240_000 }, () => {
  const made = madeStudy(30, 3);
  const truth = [0.7, 0, -0.7];
  const simulation = { strengths: truth, raters: 2, ties: 0.6, byCase: 0.2 };
  const many = simulated("score", madeStudy(4000, 3), { ...simulation, raters: 1, seed: 1 });
  const meanScore = average(many.filter(({ edit }) => edit.method === "a").map(({ score }) => score))!;
  const covered = { strengths: 0, score: 0 };
  const runs = 40;
  for (let run = 0; run < runs; run++) {
    const drawn = { ...simulation, seed: 100 + run };
    const { methods } = methodPreferences(["a", "b", "c"], simulated("pairs", made, drawn));
    for (const [k, { strength }] of methods.entries()) {
      covered.strengths += Number(strength.low! <= truth[k] && truth[k] <= strength.high!);
    }
    const { low, high } = methodScores("a", simulated("score", made, drawn)).overCases;
    covered.score += Number(low! <= meanScore && meanScore <= high!);
  }
  // Four standard errors of the share of 40 are 0.14.
  for (const share of [covered.strengths / (3 * runs), covered.score / runs]) {
    expect(share).toBeGreaterThan(0.81);
    expect(share).toBeLessThanOrEqual(1);
  }
});
