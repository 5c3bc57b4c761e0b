import { expect, test } from "vitest";
import { few, listed, shown, UsageError } from "../../src/core/index.ts";

const long = "x".repeat(10_000_000);
const cyclic: unknown[] = [];
cyclic.push(cyclic);
let deep: unknown = 1;
for (let level = 0; level < 100_000; level++) deep = { deep };

test.each<[string, unknown, string]>([
  ["a number", -0.5, "-0.5"],
  ["what is no number", Number.NaN, "NaN"],
  ["a big integer", 3n, "3"],
  ["a text", 'a "b"', '"a \\"b\\""'],
  ["nothing", undefined, "nothing"],
  ["a function", () => 1, "a function"],
  ["a list", [1, [null, true]], "[1,[null,true]]"],
  ["an object without a text of its own", { toString: 1 }, '{"toString":1}'],
  ["an object without a prototype", Object.create(null), "{}"],
  ["bytes", { data: new Uint8Array(3) }, '{"data":a Uint8Array}'],
  ["a long list", new Array(5_000_000).fill(0), "[0,0,0,0,0,0,0,0,…]"],
  ["a list that holds itself", cyclic, "[[[[…]]]]"],
  ["deep objects", deep, '{"deep":{"deep":{"deep":{…}}}}'],
])("a message shows %s in a few words", (_, value, text) => {
  expect(shown(value)).toBe(text);
});

test("a message shows the beginning of a long text, key or list", () => {
  for (const value of [long, { [long]: long }, new Array(8).fill(long)]) expect(shown(value)).toHaveLength(201);
});

test("an error message is short, whatever it quotes", () => {
  const problems = new Array(100_000).fill(long);
  const { message } = new UsageError(listed(problems), { where: long, found: few(problems), expected: long });
  expect(message.length).toBeLessThan(20_000);
  expect(message.split("\n")).toHaveLength(21);
  for (const count of ["... and 99980 more", "99988 more, expected x"]) expect(message.includes(count)).toBe(true);
});
