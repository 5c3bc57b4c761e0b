import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { encodePng } from "../../src/image/node/index.ts";
import { jobRequest } from "../../src/server/api/index.ts";
import { Runners, type RunnersOptions } from "../../src/server/node/runner/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";

// A runner starts two processes, and the machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const folder = mkdtempSync(join(tmpdir(), "baret-runners-"));
const photo = "a".repeat(64);
const picture = join(folder, "photo.png");
/** Two models of one folder, each of which needs 100 bytes. */
const [one, other] = ["1", "2"].map((digit) => ({
  name: `tiny ${digit}`,
  load: fixturePath("tiny-sd1"),
  sha256: digit.repeat(64),
  memory: 100,
}));
const all: Runners[] = [];
const runnersWith = (options: RunnersOptions): Runners => {
  const made = new Runners({ threads: 1, ...options });
  all.push(made);
  return made;
};

beforeAll(async () => {
  process.env.BARET_CACHE = join(folder, "cache");
  writeFileSync(picture, await encodePng(smoothPicture(1)));
});
afterAll(async () => {
  await Promise.all(all.map((runners) => runners.close()));
  delete process.env.BARET_CACHE;
  rmSync(folder, { recursive: true });
});

let jobs = 0;
/** Runs an edit. Returns the kind of its end. log: gets the model's name at the edit's beginning and end. */
async function run(runners: Runners, model: typeof one, log: string[] = [], signal = new AbortController().signal) {
  const own = join(folder, `job ${jobs++}`);
  mkdirSync(own);
  const request = jobRequest.parse({ kind: "edit", method: "sdedit", photo, target: "a dog", options: { steps: 4 } });
  const job = { request, pictures: { [photo]: picture }, folder: own, stepsEveryMs: 1000 };
  const { kind } = await runners.run(model, job, {
    onEvent: ({ type }) => type === "settings" && log.push(`${model.name} begins`),
    onNeed: async () => undefined,
    signal,
  });
  log.push(`${model.name} ends`);
  return kind;
}

test("a runner is kept for the next job, and ended if there is none for long", async () => {
  const runners = runnersWith({ idleMs: 300 });
  await run(runners, one);
  const [pid] = runners.pids;
  expect(await run(runners, one)).toBe("done");
  expect(runners.pids).toEqual([pid]);
  for (let waited = 0; runners.pids.length > 0 && waited < 5000; waited += 50) await sleep(50);
  expect(runners.pids).toEqual([]);
});

test("if memory is short, an idle runner makes room for another", async () => {
  const runners = runnersWith({ available: () => 1e15 });
  await run(runners, one);
  await run(runners, other);
  expect(runners.pids).toHaveLength(2);
  const short = runnersWith({ available: () => 50 });
  await run(short, one);
  const [pid] = short.pids;
  expect(await run(short, other)).toBe("done");
  expect(short.pids).toHaveLength(1);
  expect(short.pids).not.toContain(pid);
});

test("if memory is short, jobs of two models run one after the other; a waiting one can be cancelled", async () => {
  const runners = runnersWith({ available: () => 50 });
  const log: string[] = [];
  const stopping = new AbortController();
  const first = run(runners, one, log);
  const waiting = run(runners, other, log, stopping.signal);
  const second = run(runners, other, log);
  stopping.abort();
  await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  await Promise.all([first, second]);
  expect(log).toEqual(["tiny 1 begins", "tiny 1 ends", "tiny 2 begins", "tiny 2 ends"]);
});

test("a model that cannot be loaded fails its jobs, and says why", async () => {
  const runners = runnersWith({});
  const missing = { ...one, load: "no-such-model", sha256: "3".repeat(64) };
  expect(await run(runners, missing)).toBe("failed");
});
