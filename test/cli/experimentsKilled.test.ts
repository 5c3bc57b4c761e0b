import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { Workplace } from "../support/cli.ts";
import { fixturePath } from "../support/files.ts";

const here = new Workplace();
const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const command = (folder: string): string[] => [
  ...["experiments", "fig1", "fig6", "fig10", "--cases", "photos", "-o", folder, "--methods", "baret,plain"],
  ...["--model", fixturePath("tiny-sd1"), "--size", "64", "--threads", "1", "--set", "steps=2"],
  ...["--clip", fixturePath("judge-tiny")],
];

beforeAll(async () => {
  await mkdir(here.path("photos"));
  const names = ["one", "two"];
  for (const [k, name] of names.entries()) {
    writeFileSync(here.path("photos", `${name}.png`), await encodePng(smoothPicture(k)));
  }
  const cases = names.map((name) => ({ photo: `${name}.png`, target: `a dog ${name}`, source: "a dog" }));
  writeFileSync(here.path("photos", "cases.json"), JSON.stringify({ cases }));
});
afterAll(() => here.remove());

const linesOf = (log: string): number => (existsSync(log) ? readFileSync(log, "utf8").split("\n").length : 0);

/** Runs the command until its log has so many lines more, and kills it. */
async function killAfter(folder: string, lines: number): Promise<void> {
  const log = here.path(folder, "log.jsonl");
  const before = linesOf(log);
  const child = spawn(process.execPath, [program, ...command(folder)], { cwd: here.folder, stdio: "ignore" });
  const exit = once(child, "exit");
  while (linesOf(log) < before + lines && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill("SIGKILL");
  expect(await exit).toEqual([null, "SIGKILL"]);
}

/** Returns the page without its one line of times. */
const pageOf = (folder: string): string[] =>
  readFileSync(here.path(folder, "report.html"), "utf8")
    .split("\n")
    .filter((line) => !line.includes("<dt>begun</dt>"));

test("a run that is killed three times ends with the same report.html as one that is not", {
  timeout: 180_000,
}, async () => {
  expect((await here.baret(command("whole"))).code).toBe(0);
  for (const lines of [3, 9, 14]) await killAfter("killed", lines);
  expect((await here.baret(command("killed"))).code).toBe(0);
  const [whole, killed] = [pageOf("whole"), pageOf("killed")];
  expect(whole.length).toBeGreaterThan(20);
  expect(killed).toEqual(whole);
});
