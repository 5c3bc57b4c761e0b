import { expect, test } from "vitest";
import { type Line, Results, readLog } from "../../src/experiments/run/log.ts";

const cost = { seconds: 1, evaluations: 2, gradients: 0 };
const edit = (key: string): Line => ({
  type: "edit",
  key,
  case: "a",
  method: "plain",
  settings: {},
  costs: { prepare: cost, edit: cost },
  quality: {},
  pictures: { edit: `edits/a/${key}.png` },
});
const failure = (key: string): Line => ({
  type: "failure",
  key,
  case: "a",
  what: "plain",
  code: "engine",
  message: "no",
});
const text = (...lines: readonly Line[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("");

test("a log reads back as it was written", () => {
  const lines: Line[] = [
    { type: "start", time: "2026-11-28", identity: { model: "m" }, machine: {} },
    { type: "case", case: "a", photo: "p", truth: "t" },
    edit("k"),
    { type: "metric", picture: "edits/a/k.png", key: "k", metric: "judge-done", value: null },
  ];
  expect(readLog(text(...lines))).toEqual({ lines, damaged: [] });
});

test("a line that was cut, is no JSON or is no line of a log is named, and the others are read", () => {
  const whole = text(edit("k"));
  const read = readLog(`${whole}{"type":"edit"}\nnonsense\n${whole}${whole.slice(0, 40)}`);
  expect(read.lines).toHaveLength(2);
  expect(read.damaged).toEqual([2, 3, 5]);
});

test("a job that was done after a failure has not failed, and one that failed after it was done has", () => {
  expect(new Results([failure("k"), edit("k")]).failure("k")).toBeUndefined();
  const later = new Results([edit("k"), failure("k")]);
  expect(later.failure("k")).toBeDefined();
  expect(later.edit("k")).toBeDefined();
});

test("a value belongs to its picture, its metric and its edit; null says that there is nothing to measure", () => {
  const results = new Results([
    { type: "metric", picture: "p.png", key: "old", metric: "m", value: 1 },
    { type: "metric", picture: "p.png", key: "new", metric: "m", value: 2 },
    { type: "metric", picture: "p.png", key: "new", metric: "other", value: null },
  ]);
  expect(results.value("p.png", "m", "new")).toBe(2);
  expect(results.value("p.png", "m", "old")).toBe(1);
  expect(results.value("p.png", "other", "new")).toBeNull();
  expect(results.value("p.png", "m")).toBeUndefined();
});
