import { expect, test } from "vitest";
import { UsageError } from "../../src/core/index.ts";
import { agreement, confusionTable, requestedChanges } from "../../src/metrics/index.ts";
import { type Attributes, attributes, benchmarkPairs } from "../../src/world/index.ts";

const truths = [
  { animal: "dog", pose: "sitting" },
  { animal: "dog", pose: null },
  { animal: "cat", pose: "standing" },
  { animal: "dog", pose: "standing" },
  { animal: "bird", pose: null },
];
const named = [
  { animal: "dog", pose: "sitting" },
  { animal: "cat", pose: "sitting" },
  { animal: "cat", pose: "sitting" },
  { animal: "cat", pose: "standing" },
  { animal: "bird", pose: "lying down" },
];

test("shares, share of all-right pictures and confusion equal those of training/evaluate.py", () => {
  const found = agreement(["animal", "pose"], truths, named);
  expect(found).toEqual({
    count: 5,
    right: { animal: 3 / 5, pose: 2 / 3 },
    allRight: 2 / 5,
    confusion: {
      animal: { bird: { bird: 1 }, cat: { cat: 1 }, dog: { cat: 2, dog: 1 } },
      pose: { sitting: { sitting: 1 }, standing: { sitting: 1, standing: 1 } },
    },
  });
  // json.dumps keeps the order of a dict: true values by name, predicted ones by count.
  expect(JSON.stringify(found.confusion.animal)).toBe('{"bird":{"bird":1},"cat":{"cat":1},"dog":{"cat":2,"dog":1}}');
});

test("if the judge names the truth, all is right and nothing is confused", () => {
  const all = benchmarkPairs().map(({ after }) => attributes(after));
  const keys = Object.keys(all[0]) as (keyof Attributes)[];
  const echo = all.map((truth) => Object.fromEntries(keys.map((key) => [key, truth[key] ?? "anything"])));
  const { right, allRight, confusion } = agreement(keys, all, echo);
  expect(allRight).toBe(1);
  expect(new Set(Object.values(right))).toEqual(new Set([1]));
  for (const [key, table] of Object.entries(confusion)) {
    const counts = Object.entries(table).map(
      ([wanted, row]) => [Object.keys(row), Object.values(row), wanted] as const,
    );
    for (const [seen, , wanted] of counts) expect(seen).toEqual([wanted]);
    const shown = all.filter((truth) => truth[key as keyof Attributes] !== null).length;
    expect(counts.reduce((sum, [, [n]]) => sum + n, 0)).toBe(shown);
  }
});

test("an attribute that no picture can show has no share", () => {
  const { right, allRight, confusion } = agreement(["pose"], [{ pose: null }], [{ pose: "sitting" }]);
  expect([right.pose, allRight, confusion.pose]).toEqual([undefined, 1, {}]);
  expect(agreement(["pose"], [], []).allRight).toBeUndefined();
});

test("different numbers of truths and verdicts are refused", () => {
  expect(() => agreement(["pose"], truths, named.slice(1))).toThrow(UsageError);
});

test("every benchmark pair requests a change, and pairs of one kind request that kind", () => {
  const kinds = {
    pose: "pose",
    background: "place",
    style: "style",
    expression: "expression",
    colour: "colour",
  } as const;
  for (const { kind, before, after } of benchmarkPairs()) {
    const [from, to] = [attributes(before), attributes(after)];
    const asked = requestedChanges(Object.keys(to) as (keyof Attributes)[], from, to);
    if (kind in kinds) expect(asked).toEqual([kinds[kind as keyof typeof kinds]]);
    else expect(asked.length, kind).toBe(kind === "several" ? 2 : 1);
  }
});

test("a change that the result cannot show is not requested", () => {
  const from = { pose: "sitting", framing: "whole body" };
  const to = { pose: null, framing: "portrait" };
  expect(requestedChanges(["pose", "framing"], from, to)).toEqual(["framing"]);
});

test("a confusion table prints the diagonal first", () => {
  const table = confusionTable(agreement(["animal"], truths, named).confusion.animal);
  expect(table.split("\n")).toEqual([
    "truth \\ predicted  bird  cat  dog",
    "bird                  1    .    .",
    "cat                   .    1    .",
    "dog                   .    2    1",
  ]);
});
