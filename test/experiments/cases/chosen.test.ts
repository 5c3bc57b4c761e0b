import { expect, test } from "vitest";
import { UsageError } from "../../../src/core/index.ts";
import type { Case, CaseSet } from "../../../src/experiments/index.ts";
import { chosen, kindsOf, menagerieCases } from "../../../src/experiments/index.ts";

const pictures = () => Promise.reject(new Error("no pictures are needed"));
const caseOf = (kind: string, k: number, more: Partial<Case> = {}): Case => ({
  name: `${kind}-${k}`,
  kind,
  target: "a dog",
  has: [],
  pictures,
  ...more,
});
const setOf = (sizes: Readonly<Record<string, number>>): CaseSet => ({
  name: "made",
  about: "",
  cases: Object.entries(sizes).flatMap(([kind, n]) => Array.from({ length: n }, (_, k) => caseOf(kind, k))),
});
const countsOf = (cases: readonly Case[]) =>
  Object.fromEntries(kindsOf({ cases }).map((kind) => [kind, cases.filter((one) => one.kind === kind).length]));

test("without a limit, or with one that is too large, all cases are chosen in their order", () => {
  const set = setOf({ a: 3, b: 2 });
  expect(chosen(set)).toEqual(set.cases);
  expect(chosen(set, { limit: 6 })).toEqual(set.cases);
});

test("every kind occurs if the limit allows, and beyond that kinds have their shares", () => {
  const set = setOf({ large: 90, small: 1, middle: 9 });
  expect(countsOf(chosen(set, { limit: 3 }))).toEqual({ large: 1, small: 1, middle: 1 });
  expect(countsOf(chosen(set, { limit: 10 }))).toEqual({ large: 8, small: 1, middle: 1 });
  expect(countsOf(chosen(set, { limit: 50 }))).toEqual({ large: 45, small: 1, middle: 4 });
  for (let limit = 1; limit <= 100; limit++) {
    const some = chosen(set, { limit });
    expect(some).toHaveLength(limit);
    expect(new Set(some).size).toBe(limit);
    if (limit >= 3) expect(kindsOf({ cases: some })).toHaveLength(3);
  }
});

test("if there are more kinds than cases to choose, different kinds are chosen", () => {
  const set = setOf(Object.fromEntries(Array.from({ length: 10 }, (_, k) => [`kind ${k}`, 5])));
  expect(chosen(set, { limit: 2 }).map(({ kind }) => kind)).toEqual(["kind 2", "kind 7"]);
});

test("within a kind, the chosen cases are spread evenly and keep their order", () => {
  const set = setOf({ a: 100 });
  expect(chosen(set, { limit: 4 }).map(({ name }) => name)).toEqual(["a-12", "a-37", "a-62", "a-87"]);
});

test("eight benchmark pairs have all seven kinds, held-out ones and others", () => {
  const some = chosen(menagerieCases("benchmark"), { limit: 8 });
  expect(kindsOf({ cases: some })).toHaveLength(7);
  expect(new Set(some.map(({ heldOut }) => heldOut))).toEqual(new Set([true, false]));
});

test("kinds and held-out cases are chosen by name", () => {
  const benchmark = menagerieCases("benchmark");
  expect(chosen(benchmark, { kinds: ["pose"] })).toHaveLength(80);
  expect(chosen(benchmark, { kinds: ["pose"], heldOut: true })).toHaveLength(44);
  expect(chosen(benchmark, { heldOut: false, limit: 7 }).every(({ heldOut }) => heldOut === false)).toBe(true);
});

test.each([
  ["an unknown kind", { kinds: ["pose", "posture"] }, /found posture, expected pose, add, background/],
  ["no case left", { kinds: ["expression"], heldOut: true }, /no case fits/],
  ["a limit of 0", { limit: 0 }, /limit: found 0, expected a whole number of at least 1/],
  ["half a case", { limit: 1.5 }, /limit: found 1.5/],
])("%s is refused", (_, choice, message) => {
  const choose = () => chosen(menagerieCases("benchmark"), choice);
  expect(choose).toThrow(UsageError);
  expect(choose).toThrow(message);
});

test("cases of whom nobody knows if they are held out are neither", () => {
  expect(() => chosen(setOf({ a: 2 }), { heldOut: false })).toThrow(UsageError);
});
