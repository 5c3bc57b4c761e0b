import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { expect, test } from "vitest";
import { attentionCommand, editCommand, invertCommand, sweepCommand } from "../../src/cli/edit/index.ts";
import { type Arguments, requireQuotedPrompt, splitArguments, taskCount } from "../../src/cli/edit/sources.ts";
import { generateCommand } from "../../src/cli/generate.ts";
import {
  anyText,
  applySettings,
  integer,
  nonEmpty,
  number,
  type OptionType,
  oneOf,
  option,
  pictureSize,
  refuseWrongOptions,
  repeatable,
  withFlags,
  writtenSetting,
} from "../../src/cli/options.ts";
import { Reporter } from "../../src/cli/print.ts";
import { baretProgram } from "../../src/cli/program.ts";
import { UsageError } from "../../src/core/index.ts";

/** Tests that right texts are read, and read again after writing; and that wrong texts are refused. */
function testType<T>(name: string, type: OptionType<T>, right: readonly string[], wrong: readonly string[]): void {
  const given = (text: string): Command =>
    new Command("test").addOption(option("--it <value>", "", type)).parse([`--it=${text}`], { from: "user" });

  test.each(right)(`${name}: "%s" is read, and gives the same value after writing`, (text) => {
    const command = given(text);
    refuseWrongOptions(command);
    const { it } = command.opts();
    expect(type.read(writtenSetting(command, "it", it).text)).toEqual(it);
  });

  test.each(wrong)(`${name}: "%s" is refused`, (text) => {
    const refusal = `--it: found ${JSON.stringify(text)}, expected ${type.expected}`;
    expect(() => refuseWrongOptions(given(text))).toThrow(UsageError);
    expect(() => refuseWrongOptions(given(text))).toThrow(refusal);
  });
}

testType(
  "whole numbers",
  integer(1, 1000),
  ["1", "1000", "007"],
  ["0", "1001", "-1", "1.5", "1e2", "", " 1", "NaN", "0x10"],
);
testType(
  "numbers",
  number(-1, 100),
  ["-1", "0.5", ".5", "1e-5", "100", "+3"],
  ["-1.1", "101", "", "x", "1,5", "Infinity"],
);
testType("words", oneOf(["crop", "pad"]), ["crop", "pad"], ["Crop", "", "crop "]);
testType(
  "sizes",
  pictureSize,
  ["512", "64x32", "8X16", "8192×8"],
  ["7", "x", "64x", "64x32x3", "8193", "-64", "6.4x6.4"],
);
testType("texts", nonEmpty("a name"), ["x", " "], [""]);

test("settings of a record set the repeatable options that the command line does not give, and no others", () => {
  const make = (): Command =>
    repeatable(new Command("test").addOption(option("--out <file>", "", anyText)).option("--save-all"), (made) =>
      made
        .addOption(option("--steps <n>", "", integer(1, 1000)).default(50))
        .addOption(option("--guidance <scale>", "", number(0, 100)))
        .addOption(option("--negative <text>", "", anyText))
        .option("--no-early-stop", ""),
    ).addOption(option("--preview <file>", "", anyText));
  const files = { out: "a", saveAll: true, preview: "b" };
  const settings = { steps: 7, guidance: 2.5, negative: "", earlyStop: false, unknown: { deep: true }, ...files };
  const open = make().parse([], { from: "user" });
  applySettings(open, settings, "a.png");
  expect(open.opts()).toEqual({ steps: 7, guidance: 2.5, negative: "", earlyStop: false });
  const given = make().parse(["--guidance", "1", "--steps", "3"], { from: "user" });
  applySettings(given, settings, "a.png");
  expect(given.opts()).toMatchObject({ steps: 3, guidance: 1, earlyStop: false });
});

const nonsense = [null, {}, [], "x", -1, { 0: 1 }, true].map((value) => ({ value }));

test.each(nonsense)("the setting $value is refused by every option", ({ value }) => {
  const command = repeatable(new Command("test"), (made) =>
    made
      .addOption(option("--steps <n>", "", integer(1, 1000)))
      .addOption(option("--guidance <scale>", "", number(0, 100)))
      .addOption(option("--size <WxH>", "", pictureSize)),
  );
  for (const name of ["steps", "guidance", "size"]) {
    expect(() => applySettings(command, { [name]: value }, "a.png")).toThrow(/^a\.png: settings that the options/);
  }
});

const split = (given: readonly string[], repeated?: Arguments) => splitArguments(given, new Reporter({}), repeated);

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
  for (const [given, sources, prompts] of cases) expect(split(given)).toEqual({ sources, prompts });
  const repeated = { sources: ["made.png"], prompts: ["a dog"] };
  expect(split([], repeated)).toEqual(repeated);
  expect(split(["a cat"], repeated)).toEqual({ ...repeated, prompts: ["a cat"] });
  expect(split(["b.png"], repeated)).toEqual({ ...repeated, sources: ["b.png"] });
  for (const wrong of [[], ["a.png"], ["a.png", ""], ["a.png", "a dog", "b.png"], ["i.safetensors", "a.png"]]) {
    expect(() => split(wrong)).toThrow(UsageError);
  }
});

test("an option in a text of the library gets its flag, and nothing else changes", () => {
  const flags = new Map([
    ["keep", "--keep"],
    ["strength", "--strength"],
    ["selfSteps", "--self-steps"],
  ]);
  const cases: [string, string][] = [
    ["keep: two ways", "--keep: two ways"],
    ["keep, strength auto: two ways", "--keep, --strength auto: two ways"],
    [
      "two options are wrong\n  selfSteps: found 3\n  other: found 4",
      "two options are wrong\n  --self-steps: found 3\n  other: found 4",
    ],
    ["no effect without selfSteps", "no effect without --self-steps"],
    ["a prompt to keep: missing", "a prompt to keep: missing"],
    ["keep this, other: keep", "keep this, other: keep"],
  ];
  for (const [text, written] of cases) expect(withFlags(flags, text)).toBe(written);
});

test("one-word prompts are several if the name of the outputs says so", () => {
  const given = { sources: ["a.png"], prompts: ["sitting", "lying"] };
  expect(() => requireQuotedPrompt(given, "out.png")).toThrow(UsageError);
  expect(() => requireQuotedPrompt(given, "{photo}-{prompt}.png")).not.toThrow();
  expect(() => requireQuotedPrompt({ ...given, prompts: ["sitting"] }, "out.png")).not.toThrow();
  expect(() => requireQuotedPrompt({ ...given, prompts: ["sitting", "a dog"] }, "out.png")).not.toThrow();
});

test("a prompt before a photo, and a prompt without a photo, are refused with advice", () => {
  const here = fileURLToPath(new URL("../../examples/dog.png", import.meta.url));
  expect(() => split(["a dog", "dog.png"])).toThrow(
    'photos come before prompts: found "a dog", which is not a file, before dog.png.\n' +
      'Give the photo first, then the prompt: dog.png "a dog"',
  );
  expect(() => split(["dog", here])).toThrow("photos come before prompts");
  expect(() => split(["a dog lying down"])).toThrow('a photo is missing: found only "a dog lying down"');
  expect(() => split(["photo"])).toThrow("a prompt is missing");
  expect(split([here, "a.png b"]).prompts).toEqual(["a.png b"]);
  expect(split(["a dog"], { sources: [here], prompts: [] })).toEqual({ sources: [here], prompts: ["a dog"] });
});

test("every command takes --seed, and its help shows it if it has an effect", () => {
  for (const command of [editCommand(), invertCommand(), sweepCommand()]) {
    expect(command.options.some(({ long }) => long === "--seed")).toBe(true);
  }
  expect(invertCommand().helpInformation()).not.toContain("--seed");
  expect(generateCommand().helpInformation()).toMatch(/--seed <n>\s+seed of the random numbers/);
});

test("commands whose edits cannot choose their strength do not offer that choice, nor numbers for one picture", () => {
  expect(editCommand().helpInformation()).toMatch(/--strength <way>/);
  for (const made of [sweepCommand, attentionCommand]) {
    expect(made().helpInformation()).toContain("--alpha");
    expect(made().helpInformation()).not.toMatch(/--strength|several are numbered/);
    const sdedit = made();
    sdedit.setOptionValueWithSource("method", "sdedit", "cli");
    expect(sdedit.helpInformation()).toContain("--strength <share>");
  }
});

test.each([
  ...[
    "edit",
    "invert",
    "sweep",
    "compare",
    "attention",
    "experiments",
    "generate",
    "serve",
    "worker",
    "pull",
    "models",
  ],
  ...["cache", "methods", "world"],
])("help of %s ends with examples, whose options exist", async (name) => {
  const commandOf = async (own: string) => (await baretProgram([own])).commands.find((one) => one.name() === own)!;
  const command = await commandOf(name);
  let help = "";
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  const examples = [...(help.split("\nExamples:\n")[1] ?? "").matchAll(/^ {2}baret (\S+)(.*)$/gm)];
  expect(examples.length).toBeGreaterThan(1);
  for (const [, own, rest] of examples) {
    const named = await commandOf(own);
    const longs = [named, ...named.commands].flatMap(({ options }) => options.map(({ long }) => long));
    for (const [flag] of rest.matchAll(/--[a-z-]+/g)) expect(longs).toContain(flag);
  }
});

test("every photo is edited with every prompt, a prepared photo with its own prompt", () => {
  expect(taskCount({ sources: ["a.png", "b.safetensors", "c.jpg"], prompts: ["x", "y"] })).toBe(5);
  expect(taskCount({ sources: ["b.safetensors"], prompts: [] })).toBe(1);
});
