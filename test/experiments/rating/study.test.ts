import { expect, test } from "vitest";
import { problemsOf } from "../../../src/core/index.ts";
import { methodsOf, studySchema } from "../../../src/experiments/rating/study.ts";
import { madeStudy } from "./simulated.ts";

const study = madeStudy(2, 2);
const problems = (value: unknown): string[] => {
  const { error } = studySchema.safeParse(value);
  return error ? problemsOf(error, value) : [];
};
const withFirst = (change: object) => ({ cases: [{ ...study.cases[0], ...change }, study.cases[1]] });

test("a study is a list of cases with photos and edits, with or without metrics", () => {
  expect(problems(study)).toEqual([]);
  const metrics = [{ name: "clip-score", better: "higher", values: { "case-0": { a: 0.7, b: null } } }];
  expect(problems({ ...study, title: "Dogs", metrics })).toEqual([]);
  expect(methodsOf(study)).toEqual(["a", "b"]);
});

test.each([
  "/etc/passwd",
  "../secret.png",
  "a/../../secret.png",
  "a\\..\\..\\b.png",
  "C:\\photo.png",
  "\\\\host\\a.png",
  "a\0.png",
  "",
])("the path %j is refused, for photos and for edits", (path) => {
  expect(problems(withFirst({ photo: path }))).toHaveLength(1);
  expect(problems(withFirst({ edits: [{ method: "a", file: path }] }))).toHaveLength(1);
});

test("names that begin with two dots are no way out of the folder", () => {
  expect(problems(withFirst({ photo: "..a/b..png" }))).toEqual([]);
});

test("all problems are listed at once, each with its field", () => {
  const wrong = withFirst({ photo: "/x.png", target: 5, edits: [], colour: 1 });
  expect(problems(wrong)).toEqual([
    "cases.0.target: found 5, expected a target prompt",
    'cases.0.photo: found "/x.png", expected a path inside the folder of rating.json',
    "cases.0.edits: found [], expected at least one edit",
    '"colour" in cases.0: not understood',
  ]);
});

test("two cases of one name, and two edits of one method, are refused", () => {
  const [first] = study.cases;
  const edits = [...first.edits, { method: "a", file: "other.png" }];
  expect(problems({ cases: [first, first] })).toEqual([
    'cases.1.case: found "case-0", expected a name that no other entry has',
  ]);
  expect(problems({ cases: [{ ...first, edits }] })).toEqual([
    'cases.0.edits.2.method: found "a", expected a name that no other entry has',
  ]);
});

test.each([
  null,
  [],
  {},
  { cases: [] },
  { cases: {} },
  "rating",
  { ...study, metrics: [{ name: "x", better: "best", values: {} }] },
])("%j is refused", (value) => expect(problems(value).length).toBeGreaterThan(0));
