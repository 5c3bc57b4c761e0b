import { expect, test } from "vitest";
import { z } from "zod";
import {
  between,
  dashed,
  oneOf,
  option,
  optionProblems,
  optionsOf,
  textOfValue,
  valueOfText,
  whole,
} from "../../src/core/index.ts";

const share = between(0, 1);
const schema = z.strictObject({
  alpha: option(
    z
      .union([share, z.tuple([share, share])], { error: "expected 0..1, or START:END" })
      .transform((value): [number, number] => (typeof value === "number" ? [value, value] : value)),
    { about: "how much", value: "<start:end>", unset: "the model's" },
  ).optional(),
  half: option(oneOf(["conditional", "both"]).default("conditional"), { about: "which half" }),
  warmStart: option(z.boolean().default(true), { about: "warm", off: "cold" }),
  iterations: option(whole(0, 1000).default(5), { about: "how many" }),
  prompt: option(z.string(), { about: "words" }).optional(),
  layers: option(z.array(z.union([whole(0, 7), z.string()]), { error: "expected a list" }), {
    about: "where",
  }).optional(),
  internal: z.number().default(3),
});
const options = optionsOf(schema);
const named = Object.fromEntries(options.map((one) => [one.name, one]));

test("declared fields are listed in order, with default, expectation and kind, however they are wrapped", () => {
  expect(options.map((one) => [one.name, one.default, one.expected, one.isSwitch, one.isList])).toEqual([
    ["alpha", undefined, "0..1, or START:END", false, false],
    ["half", "conditional", "conditional, both", false, false],
    ["warmStart", true, "true or false", true, false],
    ["iterations", 5, "a whole number in 0..1000", false, false],
    ["prompt", undefined, "some text", false, false],
    ["layers", undefined, "a list", false, true],
  ]);
  expect(named.alpha.unset).toBe("the model's");
});

test.each([
  ["alpha", "0.8:0.1", [0.8, 0.1]],
  ["alpha", "0.8", 0.8],
  ["alpha", "1e-3,0.5", [1e-3, 0.5]],
  ["alpha", "much", "much"],
  ["half", "both", "both"],
  ["warmStart", "false", false],
  ["iterations", "12", 12],
  ["prompt", "12", "12"],
  ["prompt", "a dog, lying: 1:2", "a dog, lying: 1:2"],
  ["layers", "1", [1]],
  ["layers", "0,up_blocks.1.attn1", [0, "up_blocks.1.attn1"]],
])("%s: the text %j is read, and printed again", (name, text, value) => {
  const read = valueOfText(named[name], text);
  expect(read).toEqual(value);
  expect(valueOfText(named[name], textOfValue(named[name], read))).toEqual(value);
});

test("all problems are listed at once, with the names that the caller uses", () => {
  const wrong = { alpha: [2, "x"], iterations: 1.5, half: "q", other: 1, layers: [9, "x"] };
  expect(optionProblems(schema, wrong, (name) => `--${dashed(name)}`)).toEqual([
    '--alpha: found [2,"x"], expected 0..1, or START:END',
    '--half: found "q", expected conditional, both',
    "--iterations: found 1.5, expected a whole number in 0..1000",
    expect.stringContaining("--layers"),
    '"other": not understood',
  ]);
  expect(optionProblems(schema, { alpha: [1, 0] })).toEqual([]);
});

test("names become flags by dashes", () => {
  expect(dashed("learningRateEnd")).toBe("learning-rate-end");
});
