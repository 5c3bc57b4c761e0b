import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { baretProgram } from "../../src/cli/program.ts";
import { runCommand } from "../../src/cli/run.ts";
import { readPngText } from "../../src/image/index.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { asOrdinaryUser, Workplace } from "../support/cli.ts";
import { fixturePath } from "../support/files.ts";

const here = new Workplace();
afterAll(here.remove);
const tiny = ["--model", fixturePath("tiny-sd1"), "--size", "64x32"];
const metadata = (name: string) => JSON.parse(readPngText(readFileSync(here.path(name))).baret);

test("generate writes a picture with a record of its settings", async () => {
  const made = await here.baret(["generate", "a dog", ...tiny, "--steps", "3", "--seed", "5", "-o", "dog.png"]);
  expect(made.code).toBe(0);
  expect(made.stdout).toMatch(/^ {2}size +64x32$/m);
  expect(made.stdout).toMatch(/^ {2}guidance +7\.5$/m);
  expect(made.stdout).toMatch(/^dog\.png {2}seed 5$/m);
  expect(made.stderr).toMatch(/^generate 3\/3$/m);
  expect(await decodeImage(here.path("dog.png"))).toMatchObject({ width: 64, height: 32 });
  expect(metadata("dog.png")).toEqual({
    command: "generate",
    version: expect.stringMatching(/^\d/),
    model: { name: fixturePath("tiny-sd1"), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    engine: {
      device: "cpu",
      threads: expect.any(Number),
      precision: "float32",
      linear: "float32",
      onnxruntime: expect.stringMatching(/^\d/),
    },
    settings: {
      prompt: "a dog",
      negative: "",
      seed: 5,
      size: { width: 64, height: 32 },
      steps: 3,
      guidance: 7.5,
    },
  });
});

test("several prompts and a count make numbered pictures, each equal to one generated alone", async () => {
  const args = [...tiny, "--steps", "2", "--quiet"];
  const made = await here.inProcess([
    "generate",
    "a dog",
    "a cat",
    "--count",
    "2",
    ...args,
    "-o",
    "many.png",
    "--json",
  ]);
  const { pictures } = JSON.parse(made.stdout);
  expect(pictures).toEqual(
    ["a dog", "a dog", "a cat", "a cat"].map((prompt, k) => {
      return { path: `many-${k + 1}.png`, prompt, seed: k, lostWords: [] };
    }),
  );
  expect(made.stderr).toBe("");
  const again = await here.inProcess(["generate", "--like", "many-2.png", "-o", "again.png", "--quiet"]);
  expect(again).toMatchObject({ code: 0, stdout: "again.png  seed 1\n" });
  expect(readFileSync(here.path("again.png"))).toEqual(readFileSync(here.path("many-2.png")));
  const alone = await here.inProcess(["generate", "a cat", ...args, "--seed", "3", "-o", "cat.png"]);
  expect(alone).toMatchObject({ code: 0, stderr: "", stdout: "cat.png  seed 3\n" });
  expect(readFileSync(here.path("cat.png"))).toEqual(readFileSync(here.path("many-4.png")));
});

test("a warning lists the words cut off a prompt of 500 words; an empty prompt is allowed", async () => {
  const long = Array.from({ length: 500 }, (_, k) => `dog${k}`).join(" ");
  const made = await here.inProcess(["generate", long, "", ...tiny, "--steps", "1", "-o", "long.png"]);
  expect(made.code).toBe(0);
  expect(made.stderr).toMatch(/^Warning: "dog0 dog1 .*…" is longer .* Cut off: dog\d+, dog\d+, .* \d{3} more$/m);
});

test("a warning lists the words cut off a negative prompt, once", async () => {
  const negative = Array.from({ length: 90 }, (_, k) => `cat${k}`).join(" ");
  const made = await here.inProcess([
    "generate",
    "a dog",
    ...tiny,
    "--steps",
    "1",
    "--negative",
    negative,
    "--count",
    "2",
  ]);
  expect(made.stderr.match(/^Warning: "cat0 cat1 .*…" is longer .* Cut off: cat/gm)).toHaveLength(1);
});

test("an output that cannot be written is refused before any work", async () => {
  mkdirSync(here.path("folder.png"));
  writeFileSync(here.path("file"), "");
  const cases = [
    ["nowhere/out.png", "its folder does not exist"],
    ["file/out.png", "part of the path is not a folder"],
    ["folder.png", "it is a folder, not a regular file"],
  ];
  for (const [out, reason] of cases) {
    const made = await here.inProcess(["generate", "a dog", ...tiny, "-o", out]);
    expect(made).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `StorageError: ${out}: cannot be written: ${reason}.\n`,
    });
  }
});

test("an output in a folder without write permission is refused before the model is opened", async () => {
  mkdirSync(here.path("closed"), { mode: 0o555 });
  const args = ["generate", "a dog", "--model", "none", "-o", here.path("closed/out.png")];
  await expect(asOrdinaryUser(async () => runCommand(await baretProgram(args), args))).rejects.toThrow(
    "closed/out.png: cannot be written: permission denied",
  );
});

test("a picture that cannot be written leaves no partial file, and the pictures before it stay", async () => {
  const args = ["generate", "a dog", "--model", fixturePath("tiny-sd1"), "--size", "128", "--steps", "1"];
  const full = await here.baret([...args, "-o", "big.png"], { fileLimit: 1 });
  expect(full.code).toBe(1);
  expect(full.stderr).toContain("StorageError: big.png: cannot be written: the file system does not allow a file");
  mkdirSync(here.path("big-2.png"));
  const second = await here.baret([...args, "--count", "3", "-o", "big.png", "--json", "--quiet"]);
  expect(second.code).toBe(1);
  expect(JSON.parse(second.stdout)).toMatchObject({ error: { code: "storage", where: "big-2.png" } });
  expect(readdirSync(here.folder).filter((name) => name.includes("big"))).toEqual(["big-1.png", "big-2.png"]);
});

test("Ctrl-C ends generate within a second with status 130, and finished pictures stay", async () => {
  const args = ["generate", "a dog", ...tiny, "--count", "16", "--steps", "150", "-o", "stop.png"];
  const made = await here.baret(args, { interruptAt: /^generate (1[6-9]\d|2\d\d)\/300$/m });
  expect(made).toMatchObject({ code: 130, signal: null });
  expect(made.afterInterrupt).toBeLessThan(1000);
  expect(made.stderr).toMatch(/^Stopped\.$/m);
  expect(made.stdout.match(/^stop-\d\.png/gm)).toHaveLength(8);
  expect(readdirSync(here.folder).filter((name) => name.startsWith("stop"))).toHaveLength(8);
});

test("every command warns of words that the model was not trained on, before it computes", async () => {
  const quick = ["--size", "64", "--steps", "1"];
  const photo = await here.inProcess(["generate", "a brown dog", ...quick, "-o", "photo.png", "--json"]);
  expect(JSON.parse(photo.stdout).warnings).toEqual([]);
  const prompt = "an elephant on the sand";
  const commands = [
    ["generate", prompt],
    ["edit", "photo.png", prompt, "--iterations", "0", "--strength", "fixed"],
    ["edit", "photo.png", prompt, "--method", "plain"],
    ["invert", "photo.png", prompt, "--iterations", "0", "-o", "p.safetensors"],
    ["sweep", "photo.png", prompt, "--iterations", "0", "--alpha", "0,1", "-o", "s.png"],
    ["attention", "photo.png", prompt, "--method", "plain", "-o", "m.png"],
  ];
  for (const command of commands) {
    const { code, stderr, stdout } = await here.inProcess([...command, ...quick, "--json"]);
    expect(code, stderr).toBe(0);
    const [warning] = JSON.parse(stdout).warnings;
    expect(warning).toMatch(
      /^menagerie was not trained on "elephant" \(nearest known: dog, cat, .*\), "sand" \(nearest known: on the beach\)/,
    );
    expect(stderr.indexOf(`Warning: ${warning}`), command[0]).toBeLessThan(
      stderr.search(/^(generate|invert|edit) \d/m),
    );
  }
});
