import { expect, test } from "vitest";
import { allQuestions, answerKey, planQuestions, type Question } from "../../../src/experiments/rating/questions.ts";
import { answerTo, madeStudy } from "./simulated.ts";

const study = madeStudy(20, 4);
const modes = ["score", "pairs"] as const;
const plan = (mode: "score" | "pairs", rater = "ann", seed = 0, limit?: number): Question[] =>
  planQuestions(study, mode, { rater, seed, limit });
const keys = (questions: readonly Question[]): string[] => questions.map(({ key }) => key);

test("a session asks every question once, and a tenth of them again", () => {
  expect(allQuestions(study, "score")).toHaveLength(80);
  expect(allQuestions(study, "pairs")).toHaveLength(120);
  for (const mode of modes) {
    const questions = plan(mode);
    const once = questions.filter(({ repeat }) => !repeat);
    const again = questions.filter(({ repeat }) => repeat);
    expect(new Set(keys(once))).toEqual(new Set(keys(allQuestions(study, mode))));
    expect(again).toHaveLength(once.length / 10);
    expect(new Set(keys(questions)).size).toBe(questions.length);
  }
});

test("a question comes again half a session later, with left and right exchanged", () => {
  const questions = plan("pairs");
  for (const [k, question] of questions.entries()) {
    if (!question.repeat) continue;
    const before = questions.findIndex(
      (one) => !one.repeat && answerKey({ ...answerTo(question), repeat: false }) === one.key,
    );
    expect(k - before).toBeGreaterThanOrEqual(60);
    expect(question.edits).toEqual(questions[before].edits.toReversed());
  }
});

test("rater and seed decide the order, and nothing else does", () => {
  for (const mode of modes) {
    expect(plan(mode)).toEqual(plan(mode));
    expect(keys(plan(mode, "bob"))).not.toEqual(keys(plan(mode)));
    expect(keys(plan(mode, "ann", 1))).not.toEqual(keys(plan(mode)));
  }
});

test("neither side nor place in the session tells the method", () => {
  const raters = Array.from({ length: 40 }, (_, r) => `rater-${r}`);
  const left = raters.flatMap((rater) => plan("pairs", rater).map(({ edits }) => edits[0].method));
  const first = raters.flatMap((rater) =>
    plan("score", rater)
      .slice(0, 40)
      .map(({ edits }) => edits[0].method),
  );
  for (const methods of [left, first]) {
    for (const method of ["a", "b", "c", "d"]) {
      const share = methods.filter((one) => one === method).length / methods.length;
      expect(share).toBeGreaterThan(0.22);
      expect(share).toBeLessThan(0.28);
    }
  }
});

test("a limit keeps the first questions of the order", () => {
  const limited = plan("score", "ann", 0, 30);
  expect(limited.filter(({ repeat }) => !repeat)).toHaveLength(30);
  expect(limited.filter(({ repeat }) => repeat)).toHaveLength(3);
  const all = new Set(
    keys(
      plan("score")
        .filter(({ repeat }) => !repeat)
        .slice(0, 30),
    ),
  );
  expect(all).toEqual(new Set(keys(limited.filter(({ repeat }) => !repeat))));
});

test("a study of one edit asks once, and one of one method has no pairs", () => {
  const tiny = madeStudy(1, 1);
  expect(planQuestions(tiny, "score", { rater: "ann", seed: 0 })).toHaveLength(1);
  expect(planQuestions(tiny, "pairs", { rater: "ann", seed: 0 })).toEqual([]);
});

test("an answer belongs to its question, whatever the sides", () => {
  for (const mode of modes) {
    for (const question of plan(mode)) expect(answerKey(answerTo(question))).toBe(question.key);
  }
  const [question] = plan("pairs");
  const swapped = { ...question, edits: question.edits.toReversed() };
  expect(answerKey(answerTo(swapped))).toBe(question.key);
});
