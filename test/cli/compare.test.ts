import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { NumericError } from "../../src/core/index.ts";
import { methodNamed, registerMethod } from "../../src/editing/index.ts";
import { decodeImage, encodePng } from "../../src/image/node/index.ts";
import type { Cost, Estimate } from "../../src/tasks/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { Workplace } from "../support/cli.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";

const at = temporaryFolder();
const target = "a dog lying down";
const quick = ["--model", fixturePath("tiny-sd1"), "--size", "64", "--threads", "1"];
const own = [...quick, "--set", "steps=2", "--seed", "4"];
const some = ["--methods", "plain,sdedit,negative-prompt", "--source", "a dog", "--set", "plain.steps=3"];
/** The parts of the JSON output that the tests read. */
interface Output {
  leftOut: { method: string }[];
  comparisons: { sheet?: string; methods: ComparedJson[] }[];
  warnings: string[];
}
interface ComparedJson {
  method: string;
  file: string;
  isReused: boolean;
  error?: object;
  estimate?: Estimate;
  prepare: Cost;
  edit: Cost;
}
const compare = async (...more: string[]): Promise<Output> =>
  JSON.parse(await inProcess("compare", at("photo.png"), target, ...own, "--json", ...more));
const status = process.exitCode;

beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  writeFileSync(at("photo.png"), await encodePng(smoothPicture(1)));
});
// A failed method sets the exit status of the process, here that of the tests.
afterEach(() => {
  process.exitCode = status;
});
afterAll(() => void vi.unstubAllEnvs());

test("it writes a picture of each method, which baret edit repeats, and a sheet, and prints a table", async () => {
  const printed = await inProcess("compare", at("photo.png"), target, ...own, ...some, "-o", at("a.png"));
  const rows = printed.split("\n").filter((line) => /^(plain|sdedit|negative-prompt) /.test(line));
  expect(rows.map((row) => row.split(/\s{2,}/)[3])).toEqual(["9", "2", "6"]);
  expect(printed).toMatch(/^method +prepare s +edit s +U-Net rows +gradients +PSNR to photo +CLIPScore +picture$/m);
  const { settings } = await readRecord(at("a-plain.png"));
  expect(settings).toMatchObject({ method: "plain", target, steps: 3 });
  expect(settings).not.toHaveProperty("source");
  expect((await readRecord(at("a-sdedit.png"))).settings).toMatchObject({ steps: 2, seed: 4 });
  expect(await readRecord(at("a.png"))).toMatchObject({ command: "compare", settings: { target } });
  for (const method of ["plain", "negative-prompt"]) {
    await inProcess("edit", "--like", at(`a-${method}.png`), "-o", at("like.png"));
    expect((await decodeImage(at("like.png"))).data).toEqual((await decodeImage(at(`a-${method}.png`))).data);
  }
});

test("it makes only pictures that are not there, or that have other settings, model or photo", async () => {
  const reused = ({ comparisons: [{ methods }] }: Output) =>
    methods.filter(({ isReused }) => isReused).map(({ method }) => method);
  const out = ["-o", at("b.png")];
  expect(reused(await compare(...some, ...out))).toEqual([]);
  const [before, bytes] = [statSync(at("b-plain.png")).mtimeMs, readFileSync(at("b-sdedit.png"))];
  rmSync(at("b-sdedit.png"));
  expect(reused(await compare(...some, ...out))).toEqual(["plain", "negative-prompt"]);
  expect(statSync(at("b-plain.png")).mtimeMs).toBe(before);
  expect((await decodeImage(at("b-sdedit.png"))).data).toEqual((await decodeImage(bytes)).data);
  expect(reused(await compare(...some, ...out, "--set", "sdedit.strength=0.6"))).toEqual(["plain", "negative-prompt"]);
  writeFileSync(at("b-plain.png"), "no picture");
  expect(reused(await compare(...some, ...out, "--set", "sdedit.strength=0.6"))).toEqual(["sdedit", "negative-prompt"]);
  expect(reused(await compare(...some, ...out, "--set", "sdedit.strength=0.6", "--no-cache"))).toEqual([]);
});

test("its lines name the caption once, no setting without effect, and each picture when it is written", async () => {
  const methods = ["--methods", "masactrl,null-text,direct", "--source", "a dog standing", "--set", "iterations=1"];
  const idle = [
    "--set",
    "null-text.blend-threshold=0.4",
    "--set",
    "direct.blend=dog",
    "--set",
    "direct.blend-threshold=0.4",
  ];
  const printed = await inProcess("compare", at("photo.png"), target, ...own, ...methods, ...idle, "-o", at("f.png"));
  const lines = printed.split("\n");
  expect(lines.filter((line) => line === "  caption: a dog standing")).toHaveLength(1);
  expect(lines.filter((line) => line.includes("blend-threshold 0.4"))).toEqual([
    expect.stringContaining(", direct, 64x64:"),
  ]);
  for (const method of ["masactrl", "null-text", "direct"]) {
    const written = lines.indexOf(`  ${at(`f-${method}.png`)}`);
    expect(written).toBeGreaterThan(lines.findIndex((line) => line.includes(`, ${method}, 64x64:`)));
    expect(written).toBeLessThan(lines.findIndex((line) => line.startsWith("method ")));
  }
});

test("several photos and prompts make a sheet and pictures each", async () => {
  writeFileSync(at("other.png"), await encodePng(smoothPicture(2)));
  const args = [at("photo.png"), at("other.png"), "a dog", "a cat", ...own, "--methods", "sdedit"];
  const { comparisons } = JSON.parse(
    await inProcess("compare", ...args, "--json", "-o", at("{photo}-{prompt}.png")),
  ) as Output;
  expect(comparisons.map(({ sheet }) => sheet)).toEqual(
    ["photo-a-dog.png", "photo-a-cat.png", "other-a-dog.png", "other-a-cat.png"].map((name) => at(name)),
  );
  expect(comparisons[3].methods[0].file).toBe(at("other-a-cat-sdedit.png"));
});

test("a method that fails is a row and gives the exit status; the others are written", async () => {
  const prepare = () => Promise.reject(new NumericError("the latent is not finite"));
  registerMethod({ ...methodNamed("plain"), name: "failing-test", prepare });
  const { comparisons } = await compare("--methods", "failing-test,sdedit", "-o", at("c.png"));
  expect(comparisons[0].methods).toMatchObject([
    { method: "failing-test", error: { code: "numeric", message: "the latent is not finite." } },
    { method: "sdedit", file: at("c-sdedit.png") },
  ]);
  expect(process.exitCode).toBe(1);
  expect((await decodeImage(at("c-sdedit.png"))).width).toBe(64);
  const { comparisons: none } = await compare("--methods", "failing-test", "-o", at("d.png"));
  expect(none[0].sheet).toBeUndefined();
});

test("--json and --verbose have the estimate of each edit; a value that not every method takes gives a warning", async () => {
  const options = ["--methods", "masactrl,sdedit", "--set", "strength=fixed", "--no-cache", "-o", at("e.png")];
  const { comparisons, warnings } = await compare(...options);
  for (const { estimate, prepare, edit } of comparisons[0].methods) {
    expect(estimate?.computed.evaluations).toBe(prepare.evaluations + edit.evaluations);
  }
  expect(warnings).toContain('--set "strength=fixed": for masactrl only; sdedit expects 0..1 or auto');
  const printed = await inProcess("compare", at("photo.png"), target, ...own, "--verbose", ...options);
  expect(printed.match(/This takes about .* of memory\./g)).toHaveLength(2);
});

test("mistakes are errors before the model is loaded", async () => {
  const wrong = (...args: string[]) =>
    expect(inProcess("compare", at("photo.png"), target, "--model", "none", "-o", at("x.png"), ...args)).rejects;
  await wrong("--methods", "plain,magic").toThrow("no such method: found magic");
  await wrong("--methods", "negative-prompt").toThrow("a caption of the photo is missing");
  const values = ["sdedit.strength=7", "plain.strength=0.5", "magic.steps=3", "steps", "colour=red"];
  await wrong("--methods", "plain,sdedit", ...values.flatMap((value) => ["--set", value])).toThrow(
    [
      "values of --set",
      '"steps": expected METHOD.OPTION=VALUE or OPTION=VALUE',
      '"colour=red": not an option of any of the methods',
      '"sdedit.strength=7": found "7", expected 0..1 or auto',
      '"plain.strength=0.5": not an option of plain',
      '"magic.steps=3": magic is not compared',
    ].join("\n  "),
  );
  await expect(inProcess("compare", at("prepared.safetensors"), target)).rejects.toThrow("this photo is prepared");
  await expect(inProcess("compare", at("photo.png"), target, "-o", at("photo.png"))).rejects.toThrow("which is read");
});

test("after Ctrl-C, the command says what is kept before the work has stopped", async () => {
  const listeners = process.listeners("SIGINT");
  // Its own signal, so that no other test is cancelled.
  vi.resetModules();
  const { handleInterrupts, sayingIfCancelled } = await import("../../src/cli/interrupt.ts");
  const said: string[] = [];
  vi.useFakeTimers();
  const exit = vi.spyOn(process, "exit").mockImplementation((code) => void said.push(`exit ${code}`) as never);
  try {
    handleInterrupts();
    void sayingIfCancelled(
      () => said.push("kept"),
      () => new Promise(() => undefined),
    );
    for (const listener of process.listeners("SIGINT")) if (!listeners.includes(listener)) listener("SIGINT");
    expect(said).toEqual(["kept"]);
    vi.advanceTimersByTime(1000);
    expect(said).toEqual(["kept", "exit 130"]);
  } finally {
    exit.mockRestore();
    vi.useRealTimers();
    for (const listener of process.listeners("SIGINT")) {
      if (!listeners.includes(listener)) process.off("SIGINT", listener);
    }
  }
});

test("Ctrl-C keeps finished pictures and the sheet, and the next run makes the others", async () => {
  const workplace = new Workplace();
  writeFileSync(workplace.path("photo.png"), await encodePng(smoothPicture(1)));
  const args = ["compare", "photo.png", target, ...quick, "--set", "plain.steps=2", "--set", "masactrl.steps=300"];
  const stopped = await workplace.baret([...args, "--methods", "plain,masactrl"], { interruptAt: /masactrl: invert/ });
  expect(stopped.code).toBe(130);
  expect(stopped.stdout).toMatch(/Finished pictures and finished steps are kept\./);
  expect((await decodeImage(workplace.path("compare-plain.png"))).width).toBe(64);
  expect(await readRecord(workplace.path("compare.png"))).toMatchObject({ command: "compare" });
  const next = [...args.slice(0, -1), "masactrl.steps=2", "--methods", "plain,masactrl"];
  const { code, stdout } = await workplace.baret(next);
  expect(code).toBe(0);
  expect(stdout).toMatch(/compare-plain\.png \(made before\)\n.*compare-masactrl\.png\n/);
  workplace.remove();
});
