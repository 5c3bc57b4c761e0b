import { Command } from "commander";
import { expect, test } from "vitest";
import { editCommand, invertCommand, sweepCommand } from "../../src/cli/edit/index.ts";
import { splitArguments, taskCount } from "../../src/cli/edit/sources.ts";
import { generateCommand } from "../../src/cli/generate.ts";
import {
  anyText,
  applySettings,
  integer,
  type Kind,
  listOf,
  number,
  oneOf,
  option,
  pair,
  pictureSize,
  refuseWrongOptions,
  repeatable,
  writtenSetting,
} from "../../src/cli/options.ts";
import { UsageError } from "../../src/core/index.ts";

/** What is right is read, and reads the same after it is written; what is wrong is refused. */
function law<T>(name: string, kind: Kind<T>, right: readonly string[], wrong: readonly string[]): void {
  const given = (text: string): Command =>
    new Command("test").addOption(option("--it <value>", "", kind)).parse([`--it=${text}`], { from: "user" });

  test.each(right)(`${name}: "%s" is read, and again after it is written`, (text) => {
    const command = given(text);
    refuseWrongOptions(command);
    const { it } = command.opts();
    expect(kind.read(writtenSetting(command, "it", it).text)).toEqual(it);
  });

  test.each(wrong)(`${name}: "%s" is refused`, (text) => {
    const refusal = `--it: found ${JSON.stringify(text)}, expected ${kind.expected}`;
    expect(() => refuseWrongOptions(given(text))).toThrow(UsageError);
    expect(() => refuseWrongOptions(given(text))).toThrow(refusal);
  });
}

law(
  "whole numbers",
  integer(1, 1000),
  ["1", "1000", "007"],
  ["0", "1001", "-1", "1.5", "1e2", "", " 1", "NaN", "0x10"],
);
law("numbers", number(-1, 100), ["-1", "0.5", ".5", "1e-5", "100", "+3"], ["-1.1", "101", "", "x", "1,5", "Infinity"]);
law("words", oneOf(["crop", "pad"]), ["crop", "pad"], ["Crop", "", "crop "]);
law("sizes", pictureSize, ["512", "64x32", "8X16", "8192×8"], ["7", "x", "64x", "64x32x3", "8193", "-64", "6.4x6.4"]);
law("lists", listOf(number(0, 1)), ["1", "0.8,0.6, 0"], ["", "1,", "1;0"]);
law("pairs", pair(number(0, 1), "two numbers"), ["1e-5:2e-5", "0:1"], ["1", "1:2", "0:0:0"]);

test("settings fill what the command line leaves open of the repeatable options, and nothing else", () => {
  const make = (): Command =>
    repeatable(new Command("test").addOption(option("--out <file>", "", anyText)).option("--save-all"), (made) =>
      made
        .addOption(option("--steps <n>", "", integer(1, 1000)).default(50))
        .addOption(option("--alpha <a:b>", "", pair(number(0, 1), "two numbers")))
        .addOption(option("--said <text>", "", anyText))
        .option("--no-early-stop", ""),
    ).addOption(option("--preview <file>", "", anyText));
  const files = { out: "a", saveAll: true, preview: "b" };
  const settings = { steps: 7, alpha: [0.6, 0.1], said: "", earlyStop: false, unknown: { deep: true }, ...files };
  const open = make().parse([], { from: "user" });
  applySettings(open, settings, "a.png");
  expect(open.opts()).toEqual({ steps: 7, alpha: [0.6, 0.1], said: "", earlyStop: false });
  const given = make().parse(["--alpha", "1:1", "--steps", "3"], { from: "user" });
  applySettings(given, settings, "a.png");
  expect(given.opts()).toMatchObject({ steps: 3, alpha: [1, 1], earlyStop: false });
});

const nonsense = [null, {}, [], "x", -1, { 0: 1 }, true].map((value) => ({ value }));

test.each(nonsense)("a setting that is $value is refused, whatever it is for", ({ value }) => {
  const command = repeatable(new Command("test"), (made) =>
    made
      .addOption(option("--steps <n>", "", integer(1, 1000)))
      .addOption(option("--alpha <a:b>", "", pair(number(0, 1), "two numbers")))
      .addOption(option("--size <WxH>", "", pictureSize)),
  );
  for (const name of ["steps", "alpha", "size"]) {
    expect(() => applySettings(command, { [name]: value }, "a.png")).toThrow(/^a\.png: settings that the options/);
  }
});

test("photos come first, then prompts", () => {
  const cases: [string[], string[], string[]][] = [
    [["photo", "a dog"], ["photo"], ["a dog"]],
    [
      ["a.jpg", "b.PNG", "c.webp", "a dog", "a cat"],
      ["a.jpg", "b.PNG", "c.webp"],
      ["a dog", "a cat"],
    ],
    [["i.safetensors"], ["i.safetensors"], []],
    [["a.gif", "b.heic", "a dog"], ["a.gif", "b.heic"], ["a dog"]],
    [["a.png", "a dog, as in old.png, but new"], ["a.png"], ["a dog, as in old.png, but new"]],
    [["a.png", "logo of acme.png"], ["a.png"], ["logo of acme.png"]],
  ];
  for (const [given, sources, prompts] of cases) expect(splitArguments(given)).toEqual({ sources, prompts });
  const repeated = { sources: ["made.png"], prompts: ["a dog"] };
  expect(splitArguments([], repeated)).toEqual(repeated);
  expect(splitArguments(["a cat"], repeated)).toEqual({ ...repeated, prompts: ["a cat"] });
  expect(splitArguments(["b.png"], repeated)).toEqual({ ...repeated, sources: ["b.png"] });
  for (const wrong of [[], ["a.png"], ["a.png", ""], ["a.png", "a dog", "b.png"], ["i.safetensors", "a.png"]]) {
    expect(() => splitArguments(wrong)).toThrow(UsageError);
  }
});

test("--seed is taken by every command, and shown where it changes something", () => {
  for (const command of [editCommand(), invertCommand(), sweepCommand()]) {
    expect(command.helpInformation()).not.toContain("--seed");
    expect(command.options.some(({ long }) => long === "--seed")).toBe(true);
  }
  expect(generateCommand().helpInformation()).toMatch(/--seed <n>\s+seed of the random choices/);
});

test("every photo is edited with every prompt, a prepared photo with its own", () => {
  expect(taskCount({ sources: ["a.png", "b.safetensors", "c.jpg"], prompts: ["x", "y"] })).toBe(5);
  expect(taskCount({ sources: ["b.safetensors"], prompts: [] })).toBe(1);
});
