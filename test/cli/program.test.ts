import { afterAll, expect, test } from "vitest";
import { fixtureModel, Workplace } from "../support/cli.ts";

const here = new Workplace();
afterAll(here.remove);
const model = ["--model", fixtureModel("tiny-sd1")];

const wrongUsage: [string, string[], string][] = [
  ["no command", [], "a command is missing"],
  ["unknown command", ["improve"], "unknown command 'improve'"],
  ["missing argument", ["generate"], "missing required argument 'sentence'"],
  ["unknown option", ["generate", "a dog", "--stpes", "3"], "unknown option '--stpes'"],
  ["option without its value", ["generate", "a dog", "--steps"], "argument missing"],
  ["steps of 0", ["generate", "a dog", "--steps", "0"], '--steps: found "0", expected a whole number from 1 to 1000.'],
  ["steps beyond the model's", ["generate", "a dog", ...model, "--steps", "1000.5"], '--steps: found "1000.5"'],
  ["guidance below 0", ["generate", "a dog", "--guidance", "-1"], '--guidance: found "-1", expected a number from 0'],
  ["guidance that is no number", ["generate", "a dog", "--guidance", "1e9999"], "--guidance"],
  ["seed below 0", ["generate", "a dog", "--seed", "-3"], "--seed"],
  ["seed beyond 2^53", ["generate", "a dog", "--seed", "9007199254740992"], "--seed"],
  ["size of one word", ["generate", "a dog", "--size", "big"], '--size: found "big", expected WIDTHxHEIGHT'],
  ["size no multiple of 8", ["generate", "a dog", ...model, "--size", "60x64"], "found 60x64, expected multiples of 8"],
  ["enormous size", ["generate", "a dog", "--size", "20000"], "--size"],
  ["unknown device", ["generate", "a dog", "--device", "tpu"], '--device: found "tpu", expected cpu, cuda,'],
  ["no threads", ["generate", "a dog", "--threads", "0"], "--threads"],
  ["unknown prediction", ["generate", "a dog", "--prediction", "x"], "expected epsilon, v_prediction"],
  ["no model", ["generate", "a dog", "--model", ""], "--model"],
  [
    "another kind of picture",
    ["generate", "a dog", "-o", "a.jpg"],
    '--out: found "a.jpg", expected a name that ends in',
  ],
  ["world's own options", ["world", "sheet", "--count", "x", "-o", "a.png"], '--count: found "x"'],
];

test.each(wrongUsage)("%s exits 2 and says why", async (_, args, message) => {
  const { code, stdout, stderr } = await here.baret(args);
  expect(stderr).toContain("UsageError: ");
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/^ {4}at /m);
  expect({ code, stdout }).toEqual({ code: 2, stdout: expect.not.stringContaining("Error") });
});

test("all options that are wrong are named at once", async () => {
  const { code, stderr } = await here.baret(["generate", "a dog", "--steps", "x", "--size", "y", "--seed", "z"]);
  expect(code).toBe(2);
  for (const name of ["steps", "size", "seed"]) expect(stderr).toContain(`--${name}: found`);
});

test("help and version are no errors", async () => {
  const help = await here.baret(["generate", "--help"]);
  expect({ code: help.code, stderr: help.stderr }).toEqual({ code: 0, stderr: "" });
  expect(help.stdout).toContain("--guidance <scale>");
  const version = await here.baret(["--version"]);
  expect(version).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test("with --json an error is one object on standard output, its words on standard error", async () => {
  const { code, stdout, stderr } = await here.baret(["generate", "a dog", "--model", "nowhere", "--json"]);
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "checkpoint", where: '"nowhere"' } });
  expect(stderr).toMatch(/^CheckpointError: "nowhere": no such model/);
  const usage = await here.baret(["generate", "a dog", "--steps", "0", "--json"]);
  expect(JSON.parse(usage.stdout)).toMatchObject({
    error: { code: "usage", where: "--steps", found: '"0"', expected: "a whole number from 1 to 1000" },
  });
});

test("a reader that stops reading is no error, a full disk behind standard output is", async () => {
  const piped = await here.baret(["models", fixtureModel("tiny-sd1"), "--json"], { redirect: "| true" });
  expect(piped).toMatchObject({ code: 0, stderr: "" });
  const full = await here.baret(["models", fixtureModel("tiny-sd1")], { redirect: "> /dev/full" });
  expect(full.code).toBe(1);
  expect(full.stderr).toBe("StorageError: standard output: cannot be written: the disk is full.\n");
});
