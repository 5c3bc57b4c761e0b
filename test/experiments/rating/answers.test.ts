import { expect, test } from "vitest";
import { answersTo, readAnswers } from "../../../src/experiments/rating/answers.ts";
import { planQuestions } from "../../../src/experiments/rating/questions.ts";
import { answerTo, madeStudy } from "./simulated.ts";

const study = madeStudy(3, 3);
const plan = { rater: "ann", seed: 0 };
const scores = planQuestions(study, "score", plan).map((question) => answerTo(question));
const pairs = planQuestions(study, "pairs", plan).map((question) => answerTo(question));
const text = (lines: readonly object[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
const undo = (mode: string) => ({ undo: mode, time: "2026-01-01T00:00:00.000Z" });

test("a file gives the answers that were written, in their order", () => {
  expect(readAnswers(text([...scores, ...pairs]))).toEqual({ answers: [...scores, ...pairs], broken: 0 });
  expect(readAnswers("")).toEqual({ answers: [], broken: 0 });
});

test("an undo withdraws the last answer of its mode, and nothing if there is none", () => {
  const [a, b] = scores;
  const [p] = pairs;
  expect(readAnswers(text([a, b, p, undo("score")])).answers).toEqual([a, p]);
  expect(readAnswers(text([a, b, undo("score"), undo("score"), undo("score"), b])).answers).toEqual([b]);
  expect(readAnswers(text([a, undo("pairs")])).answers).toEqual([a]);
});

test("a line cut anywhere costs that answer only", () => {
  const [a, b, c] = scores;
  const line = JSON.stringify(b);
  for (let end = 1; end < line.length; end++) {
    const cut = `${text([a])}${line.slice(0, end)}\n${text([c])}`;
    expect(readAnswers(cut)).toEqual({ answers: [a, c], broken: 1 });
    expect(readAnswers(`${text([a])}${line.slice(0, end)}`)).toEqual({ answers: [a], broken: 1 });
  }
  expect(readAnswers(`${text([a])}${line}`)).toEqual({ answers: [a, b], broken: 0 });
});

test.each([
  ["a score of 6", { ...scores[0], score: 6 }],
  ["a score between two", { ...scores[0], score: 2.5 }],
  ["an unknown choice", { ...pairs[0], choice: "both" }],
  ["an unknown field", { ...scores[0], weight: 100 }],
  ["no method", { ...scores[0], edit: {} }],
  ["a number", 5],
  ["null", null],
])("%s is no answer", (_, line) => {
  expect(readAnswers(text([line as object]))).toEqual({ answers: [], broken: 1 });
});

test("answers about pictures that the study no longer has do not count", () => {
  const [first, ...others] = study.cases;
  const edits = first.edits.map((edit) => (edit.method === "a" ? { ...edit, file: "made-anew.png" } : edit));
  const changed = { cases: [{ ...first, edits }, ...others] };
  const isOld = (name: string, ...methods: string[]) => name === "case-0" && methods.includes("a");
  expect(answersTo(changed, scores)).toEqual(
    scores.filter((one) => one.mode === "score" && !isOld(one.case, one.edit.method)),
  );
  expect(answersTo(changed, pairs)).toEqual(
    pairs.filter((one) => one.mode === "pairs" && !isOld(one.case, one.left.method, one.right.method)),
  );
  expect(answersTo({ cases: others }, scores).some((one) => one.case === "case-0")).toBe(false);
});
