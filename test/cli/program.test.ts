import { afterAll, expect, test } from "vitest";
import { baretProgram } from "../../src/cli/program.ts";
import { runCommand } from "../../src/cli/run.ts";
import { UsageError } from "../../src/core/index.ts";
import { Workplace } from "../support/cli.ts";
import { fixturePath } from "../support/files.ts";

const here = new Workplace();
afterAll(here.remove);

/** Arguments that are refused before any work. */
const wrongUsage: [string, string[], string][] = [
  ["no command", [], "a command is missing"],
  ["unknown command", ["improve"], "unknown command 'improve'"],
  ["missing argument", ["sweep"], "missing required argument 'photo-then-prompt'"],
  [
    "unknown option",
    ["generate", "a dog", "--stpes", "3"],
    "unknown option '--stpes'.\nDid you mean --steps?\nAdd --help",
  ],
  [
    "an option of a method, where --set takes it",
    ["compare", "a.png", "a dog", "--steps", "3"],
    "unknown option '--steps'.\nIf it is an option of a method, write it as --set steps=VALUE or --set METHOD.steps=VALUE.",
  ],
  [
    "an option of other methods",
    ["edit", "a.png", "b", "--method", "plain", "--alpha", "1"],
    "--alpha: not an option of plain, but of baret",
  ],
  [
    "a prompt without quotes",
    ["edit", "a.png", "a", "brown", "dog"],
    'several prompts of one word each: found a, brown, dog.\nIf it is one prompt, put it in quotes: a.png "a brown dog"\n' +
      'If they are several, name the pictures after them: -o "{photo}-{prompt}.png"',
  ],
  ["a prompt without quotes to compare", ["compare", "a.png", "brown", "dog"], 'put it in quotes: a.png "brown dog"'],
  [
    "a prompt without quotes to a command that takes one",
    ["sweep", "a.png", "a", "dog"],
    'found 1 photo, 2 prompts.\nIf it is one prompt, put it in quotes: a.png "a dog"',
  ],
  [
    "another name in braces",
    ["edit", "a.png", "b", "-o", "{foto}-{prompt}.png"],
    "--out: no such part of a name: found {foto}, expected {photo}, {prompt} or {index}",
  ],
  ["option without its value", ["generate", "a dog", "--steps"], "argument missing"],
  ["steps of 0", ["generate", "a dog", "--steps", "0"], '--steps: found "0", expected a whole number in 1..1000.'],
  ["steps beyond the model's", ["generate", "a dog", "--steps", "1000.5"], '--steps: found "1000.5"'],
  ["guidance below 0", ["generate", "a dog", "--guidance", "-1"], '--guidance: found "-1", expected 0..100'],
  ["guidance that is no number", ["generate", "a dog", "--guidance", "1e9999"], "--guidance"],
  ["seed below 0", ["generate", "a dog", "--seed", "-3"], "--seed"],
  ["seed beyond 2^53", ["generate", "a dog", "--seed", "9007199254740992"], "--seed"],
  ["size of one word", ["generate", "a dog", "--size", "big"], '--size: found "big", expected WIDTHxHEIGHT'],
  ["enormous size", ["generate", "a dog", "--size", "20000"], "--size"],
  ["unknown device", ["generate", "a dog", "--device", "tpu"], '--device: found "tpu", expected cpu, cuda,'],
  ["no threads", ["generate", "a dog", "--threads", "0"], "--threads"],
  ["unknown prediction", ["generate", "a dog", "--prediction", "x"], "expected epsilon, v_prediction"],
  ["no model", ["generate", "a dog", "--model", ""], "--model"],
  [
    "another kind of picture",
    ["generate", "a dog", "-o", "a.gif"],
    '--out: found "a.gif", expected a name that ends in',
  ],
  ["no prompt", ["edit", "photo.png"], "a prompt is missing"],
  ["no photo", ["edit"], "a photo is missing"],
  [
    "a photo after a prompt",
    ["edit", "photo.png", "a dog", "b.png"],
    'photos come before prompts: found b.png after "a dog"',
  ],
  [
    "alpha beyond 1",
    ["edit", "a.png", "b", "--alpha", "1.4:0.1"],
    '--alpha: found "1.4:0.1", expected 0..1, START:END',
  ],
  ["alpha of three numbers", ["edit", "a.png", "b", "--alpha", "0.8:0.1:0"], "--alpha"],
  ["a window backwards", ["edit", "a.png", "b", "--self-steps", "0.8:0.2"], '--self-steps: found "0.8:0.2"'],
  ["a share below 0", ["edit", "a.png", "b", "--cross-steps", "-0.1"], "--cross-steps"],
  ["a level below 0", ["edit", "a.png", "b", "--self-layers", "-1"], "--self-layers"],
  ["unknown half", ["edit", "a.png", "b", "--half", "left"], "--half"],
  ["unknown replacement", ["edit", "a.png", "b", "--replace", "qv"], "--replace"],
  ["edit guidance beyond 100", ["edit", "a.png", "b", "--edit-guidance", "101"], "--edit-guidance"],
  ["unknown preset", ["edit", "a.png", "b", "--preset", "best"], "--preset"],
  ["learning rate beyond 1", ["edit", "a.png", "b", "--learning-rate", "2"], "--learning-rate"],
  ["iterations beyond 1000", ["invert", "a.png", "b", "--iterations", "1001"], "--iterations"],
  ["one threshold", ["invert", "a.png", "b", "--threshold", "1e-5"], "--threshold"],
  ["unknown fit", ["invert", "a.png", "b", "--fit", "zoom"], "--fit"],
  ["a prepared photo to invert", ["invert", "a.safetensors", "b"], "found a.safetensors, a prepared photo"],
  ["unknown shape", ["sweep", "a.png", "b", "--alpha-shape", "cubic"], "--alpha-shape"],
  ["one wrong value in a list", ["sweep", "a.png", "b", "--alpha", "0.8:0.1,2"], '--alpha: found "2"'],
  ["two prompts in a sweep", ["sweep", "a.png", "b", "c"], "found 1 photo, 2 prompts"],
  ["another kind of file", ["edit", "a.png", "b", "--save-inversion", "dog.bin"], "--save-inversion"],
  ["another kind of preview", ["edit", "a.png", "b", "--preview", "dog.jpg"], "--preview"],
  ["world's own options", ["world", "sheet", "--count", "x", "-o", "a.png"], '--count: found "x"'],
];

test.each(wrongUsage)("%s is wrong usage", async (_, args, message) => {
  const error = await runCommand(await baretProgram(args), args).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).toContain(message);
});

test("wrong usage exits with 2 and lists all wrong options, without a stack", async () => {
  const made = await here.baret(["generate", "a dog", "--steps", "x", "--size", "y", "--seed", "z"]);
  expect(made).toMatchObject({ code: 2, stdout: "" });
  for (const name of ["steps", "size", "seed"]) expect(made.stderr).toContain(`  --${name}: found`);
  expect(made.stderr).toMatch(/^UsageError: 3 options are wrong$/m);
  expect(made.stderr).not.toMatch(/^ {4}at /m);
  const none = await here.baret([]);
  expect(none).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("a command is missing") });
});

test("--help and --version exit with 0", async () => {
  const help = await here.baret(["generate", "--help"]);
  expect({ code: help.code, stderr: help.stderr }).toEqual({ code: 0, stderr: "" });
  expect(help.stdout).toContain("--guidance <scale>");
  const version = await here.baret(["--version"]);
  expect(version).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test("with --json, an error is one object on standard output and a message on standard error", async () => {
  const { code, stdout, stderr } = await here.baret(["generate", "a dog", "--model", "nowhere", "--json"]);
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "checkpoint", where: '"nowhere"' } });
  expect(stderr).toMatch(/^CheckpointError: "nowhere": no such model/);
  const usage = await here.baret(["generate", "a dog", "--steps", "0", "--json"]);
  expect(JSON.parse(usage.stdout)).toMatchObject({
    error: { code: "usage", where: "--steps", found: '"0"', expected: "a whole number in 1..1000" },
  });
});

test("a closed pipe behind standard output is not an error, but a full disk is", async () => {
  const piped = await here.baret(["models", fixturePath("tiny-sd1"), "--json"], { redirect: "| true" });
  expect(piped).toMatchObject({ code: 0, stderr: "" });
  const full = await here.baret(["models", fixturePath("tiny-sd1")], { redirect: "> /dev/full" });
  expect(full.code).toBe(1);
  expect(full.stderr).toBe("StorageError: standard output: cannot be written: the disk is full.\n");
});
