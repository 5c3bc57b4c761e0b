import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { baretProgram } from "../../src/cli/program.ts";
import { runCommand } from "../../src/cli/run.ts";
import type { Report } from "../../src/experiments/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";

const at = temporaryFolder();
const model = ["--model", fixturePath("tiny-sd1"), "--size", "64", "--threads", "1"];
const quick = [...model, "--set", "steps=2", "--methods", "baret,plain,null-text", "--clip", fixturePath("judge-tiny")];
const status = process.exitCode;

beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  await mkdir(at("people's photos"));
  for (const [k, name] of ["one", "two"].entries()) {
    writeFileSync(at("people's photos", `${name}.png`), await encodePng(smoothPicture(k)));
  }
  const cases = ["one", "two"].map((name) => ({ photo: `${name}.png`, target: `a dog ${name}`, source: "a dog" }));
  writeFileSync(at("people's photos", "cases.json"), JSON.stringify({ cases }));
});
afterEach(() => {
  process.exitCode = status;
});
afterAll(() => void vi.unstubAllEnvs());

const run = async (...args: string[]): Promise<{ jobs: number; failed: number; report: Report; warnings: string[] }> =>
  JSON.parse(await inProcess("experiments", ...args, "--cases", at("people's photos"), ...quick, "--json"));

test("it writes page, tables and rating.json, and prints what was found", async () => {
  const args = [
    "table1",
    "fig6",
    "fig7",
    "--cases",
    at("people's photos"),
    ...quick,
    "--limit",
    "1",
    "-o",
    at("whole"),
  ];
  const printed = await inProcess("experiments", ...args);
  expect(printed).toMatch(/^fig6: Figure 6: methods side by side: no claim tested$/m);
  expect(printed).toContain("report.html  5 edits and measurements, 0 failed");
  for (const file of ["report.html", "report.json", "rating.json", "log.jsonl"]) {
    expect(existsSync(at("whole", file))).toBe(true);
  }
  const { sections } = JSON.parse(readFileSync(at("whole", "report.json"), "utf8")) as Report;
  expect(sections.map(({ name }) => name)).toEqual(["table1", "fig6", "fig7"]);
  const tables = sections[2].blocks.filter((block) => block.type === "table");
  expect(tables[0].rows.map(({ cells }) => cells[0])).toEqual(["target-text", "null-text"]);
  expect(tables[0].rows[0].cells[5]).toMatchObject({ n: 1, unit: "dB" });
  expect(tables[1].rows[0].cells[1]).toMatchObject({ n: 1, unit: "dB" });
  expect(sections[2].blocks.filter((block) => block.type === "chart")).toHaveLength(4);
});

test("the command of a section makes it again, with all options that were given, in a folder of its own", async () => {
  const { report, jobs, failed } = await run("fig1", "table1", "--limit", "1", "--seed", "3", "-o", at("some"));
  expect({ jobs, failed }).toEqual({ jobs: 3, failed: 0 });
  const [{ command }] = report.sections;
  const words = execFileSync("sh", ["-c", `printf '%s\\n' ${command}`], { encoding: "utf8" })
    .trimEnd()
    .split("\n");
  expect([words.slice(0, 4), words.slice(-2)]).toEqual([
    ["npx", "baret", "experiments", "table1"],
    ["-o", "table1"],
  ]);
  expect(words).toEqual(
    expect.arrayContaining(["--limit", "--seed", "--set", "--methods", "--clip", "--size", "--threads"]),
  );
  const again = JSON.parse(await inProcess(...words.slice(2, -1), at("again"), "--json"));
  const parts = ({ facts, sections }: Report) => [facts, sections.map((section) => section.command)];
  expect(parts(again.report)).toEqual([report.facts, [command]]);
});

test("if the report cannot be written, it says that the edits are kept and how to go on", async () => {
  await mkdir(at("blocked", "report.html"), { recursive: true });
  const printed: string[] = [];
  const output = vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(`${text}`) > 0);
  const errors = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const args = ["fig6", "--cases", at("people's photos"), ...quick, "--limit", "1", "-o", at("blocked")];
  await expect(runCommand(await baretProgram(["experiments", ...args]), ["experiments", ...args])).rejects.toThrow(
    /report\.html: cannot be written/,
  );
  output.mockRestore();
  errors.mockRestore();
  expect(printed.join("")).toMatch(/What is finished is kept in .*blocked\. Run the same command again to go on\.\n$/);
});

test("a photo that cannot be decoded fails alone; exit status 1 and the report say so", async () => {
  const broken = readFileSync(at("people's photos", "two.png"));
  await mkdir(at("broken"));
  writeFileSync(at("broken", "good.png"), readFileSync(at("people's photos", "one.png")));
  writeFileSync(at("broken", "bad.png"), broken.subarray(0, broken.length - 200));
  const cases = ["good", "bad"].map((name) => ({ photo: `${name}.png`, target: `a dog ${name}` }));
  writeFileSync(at("broken", "cases.json"), JSON.stringify({ cases }));
  const args = [
    "fig6",
    "--cases",
    at("broken"),
    ...model,
    "--set",
    "steps=2",
    "--methods",
    "plain",
    "-o",
    at("failed"),
  ];
  const { jobs, failed, warnings } = JSON.parse(await inProcess("experiments", ...args, "--json"));
  expect({ jobs, failed }).toEqual({ jobs: 2, failed: 1 });
  expect(process.exitCode).toBe(1);
  expect(warnings.join("\n")).toMatch(/bad, plain failed: /);
});

test.each([
  [["fig99"], /no such experiment: found fig99, expected all, table1/],
  [["--methods", "nope"], /no such method: found nope/],
  [["--methods", "baret,", "plain"], /--methods: found "baret,", expected words separated by commas, with no space/],
  [["--kinds", "pose,,style"], /--kinds: found "pose,,style"/],
  [["truth", "--methods", "all"], /truth: it needs cases whose true result is known/],
  [["--set", "plain.steps=0"], /values of --set\n.*plain.steps=0/s],
  [["--lpips", "alex"], /--lpips/],
  [["--cases", "/nowhere"], /no such cases/],
  [["pie"], /pie: it needs cases with masks and PIE-Bench's CLIP/],
])("%j is refused before work begins", async (args, message) => {
  const own = ["--cases", at("people's photos"), "-o", at("refused"), ...model];
  await expect(inProcess("experiments", ...own, ...args)).rejects.toThrow(message);
  expect(existsSync(at("refused", "log.jsonl"))).toBe(false);
});
