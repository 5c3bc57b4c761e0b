import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveRating } from "../../src/experiments/node/index.ts";
import { answerSome, ask, linesOf, methodNames, writeStudy } from "../experiments/rating/folder.ts";
import { Workplace } from "../support/cli.ts";

const here = new Workplace();
const folder = here.path("run");
const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const rate = ["experiments", "rate", "run"];
const running: ChildProcess[] = [];
beforeAll(async () => {
  await writeStudy(folder, 3);
});
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  here.remove();
});

/** Starts the page. Returns its process and its address. */
async function start(...options: string[]): Promise<{ child: ChildProcess; url: string; facts: object }> {
  const child = spawn(process.execPath, [program, ...rate, "--no-open", "--json", ...options], { cwd: here.folder });
  running.push(child);
  const [line] = await once(child.stdout!, "data");
  const facts = JSON.parse(`${line}`);
  return { child, url: facts.url, facts };
}

test("a page that is killed after any answer goes on where it was", async () => {
  for (let done = 0; done < 3; done++) {
    const { child, url } = await start();
    expect((await ask(url, "totals", { rater: "ann" })).value).toMatchObject({ score: { done, total: 10 } });
    await answerSome(url, "ann", "score", 1);
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  expect(linesOf(folder, "ann")).toHaveLength(3);
});

test("options are those of rate, not of experiments", async () => {
  const { child, url, facts } = await start("--limit", "4", "--rater", "Bob", "--seed", "9");
  expect(facts).toEqual({ url, photos: 3, edits: 9 });
  expect((await ask(url, "totals", { rater: "bob" })).value).toEqual({
    score: { done: 0, total: 5 },
    pairs: { done: 0, total: 5 },
  });
  expect((await ask(url, "totals", { rater: "ann" })).status).toBe(400);
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([130, null]);
});

test("Ctrl-C stops the page, and frees the folder at once", async () => {
  const stopped = await here.baret([...rate, "--no-open"], { interruptAt: /Ctrl-C stops the page/ });
  expect(stopped).toMatchObject({ code: 130, stdout: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/\n$/) });
  expect(stopped.stderr).toMatch(/^9 edits of 3 photos\. .*\nStopped\.\n$/);
  const { child } = await start();
  child.kill("SIGINT");
  await once(child, "exit");
});

test("--results prints tables, and with --json one object", async () => {
  const { url, close } = await serveRating(folder, { seed: 0 });
  for (const rater of ["ann", "eve"]) {
    await answerSome(url, rater, "score", rater === "ann" ? 7 : 10);
    await answerSome(url, rater, "pairs", 10);
  }
  await close();
  const { code, stdout, stderr } = await here.inProcess([...rate, "--results"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^Raters: ann, eve\. /);
  for (const method of methodNames)
    expect(stdout).toMatch(new RegExp(`^${method} +1\\.00 \\(n = 3\\) +1\\.00 \\(n = 2\\) +6$`, "m"));
  expect(stdout).toMatch(/^raters with each other +Krippendorff's α/m);
  expect(stdout).toContain("Davidson 1970");
  const json = await here.inProcess([...rate, "--results", "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    raters: ["ann", "eve"],
    score: { answers: 18, raters: 2, cases: 3 },
    pairs: { answers: 18, methods: [{ method: methodNames[0], comparisons: 12 }, {}, {}] },
    outdated: 0,
    broken: 0,
  });
});

test("--results without answers says so", async () => {
  await writeStudy(here.path("fresh"), 1);
  const { code, stdout } = await here.inProcess(["experiments", "rate", "fresh", "--results"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "Nobody has rated these edits yet.\n" });
});

test("wrong usage exits with 2 and lists all wrong options; a folder without rating.json says what is missing", async () => {
  const wrong = await here.inProcess([...rate, "--port", "x", "--rater", "a/b", "--limit", "0"]);
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  for (const name of ["port", "rater", "limit"]) expect(wrong.stderr).toContain(`  --${name}: found`);
  const missing = await here.inProcess(["experiments", "rate", "nowhere", "--no-open"]);
  expect(missing).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^StorageError: nowhere\/rating\.json: cannot be read: there is no such file/),
  });
  rmSync(here.path("fresh", "cases"), { recursive: true });
  const broken = await here.inProcess(["experiments", "rate", "fresh", "--no-open"]);
  expect(broken).toMatchObject({ code: 2, stderr: expect.stringContaining("pictures with problems") });
});
