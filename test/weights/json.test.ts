import { expect, test } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import { parseJson } from "../../src/weights/index.ts";
import { text } from "./helpers.ts";

const parse = (json: string, maxDepth?: number): unknown => parseJson(text(json), "model.json", maxDepth);
const million = 1_000_000;

test.each([
  ["colons", ":".repeat(2 * million)],
  ["a string and colons", `{"${"a".repeat(million)}"${":".repeat(million)}`],
  ["braces", "{".repeat(40 * million)],
  ["brackets", "[".repeat(40 * million)],
  ["braces that close", "{}".repeat(5 * million)],
  ["closing brackets", "]".repeat(5 * million)],
  ["quotes", '"'.repeat(5 * million)],
  ["backslashes in a string that never ends", `"${"\\".repeat(5 * million)}`],
  ["keys of objects that open and close", `[${'{"a":1},'.repeat(million)}`],
  ["numbers that are none", `[${"NaN,".repeat(million)}`],
  ["infinities", `[${"-Infinity,".repeat(million)}`],
  ["capital letters", "N".repeat(5 * million)],
  ["one key again and again", `{${'"a":1,'.repeat(million)}"b":1}`],
])("millions of %s are refused in linear time", (_, json) => {
  const start = performance.now();
  expect(() => parse(json)).toThrow(CheckpointError);
  // A quadratic scan takes hours; a linear one takes well below a second.
  expect(performance.now() - start).toBeLessThan(20_000);
});

test("valid JSON gives the value that JSON.parse gives", () => {
  const values = [1, null, "a:b{", [], {}, { a: { a: [{ a: 1 }, { a: 2 }] }, 'q"\\:': "}" }, [[["\u00e9\\"]]]];
  for (const value of values) expect(parse(JSON.stringify(value))).toEqual(value);
});

test("Python's NaN and Infinity are read as numbers", () => {
  const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
  for (const [json, value] of [
    ["NaN", nan],
    ["-Infinity", -inf],
    ['{"a": NaN, "b":Infinity,"c":[-Infinity ,NaN,NaN], "d": 1}', { a: nan, b: inf, c: [-inf, nan, nan], d: 1 }],
    ['{"NaN": "Infinity", "x": "[-Infinity, NaN]", "y": NaN}', { NaN: "Infinity", x: "[-Infinity, NaN]", y: nan }],
    ['["\ue000", "\ue001", NaN]', ["\ue000", "\ue001", nan]],
  ] as const) {
    expect(parse(json)).toEqual(value);
  }
});

test.each([
  "nan",
  "-NaN",
  "+Infinity",
  "1Infinity",
  "Infinity1",
  "Infinit",
  "NaN.5",
  "{NaN: 1}",
  "{Infinity :1}",
  "-inf",
  "NaNNaN",
  "NaN NaN",
])("%s is refused", (json) => expect(() => parse(json)).toThrow(/not JSON/));

test("an error after Python's numbers names its position in the file", () => {
  expect(() => parse("[NaN, Infinity, 1 2]")).toThrow("not JSON, at position 18");
});

test("a key that occurs twice in one object is refused, in any spelling; in two objects it is allowed", () => {
  expect(() => parse('{"a": 1, "\\u0061": 2}')).toThrow('model.json: JSON names a key twice: "a"');
  expect(() => parse('{"b": {"a": 1}, "c": [{"a": 1}], "b": 0}')).toThrow('twice: "b"');
  expect(parse('[{"a": 1}, {"a": {"a": 2}}]')).toEqual([{ a: 1 }, { a: { a: 2 } }]);
});

test("nesting is allowed up to the limit and refused beyond it, with the position", () => {
  expect(parse('[{"a":[]}]', 3)).toEqual([{ a: [] }]);
  expect(() => parse('[{"a":[]}]', 2)).toThrow(
    "model.json: JSON is nested too deeply: found 3 levels at position 6, expected at most 2",
  );
});
