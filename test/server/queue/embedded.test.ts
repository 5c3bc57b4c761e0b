import { getEventListeners } from "node:events";
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import workerThreads, { type Worker } from "node:worker_threads";
import { afterEach, expect, test, vi } from "vitest";
import { openQueue } from "../../../src/server/node/queue/index.ts";
import { collect } from "../../support/collect.ts";
import { temporaryFolder } from "../../support/files.ts";
import { randomHex, someJob, someResult, takeNow } from "../../support/queueJobs.ts";
import { QueueProcess } from "../../support/queueProcess.ts";

// Processes and databases start, and the machine may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Kills of a server at random moments. The whole trial: BARET_KILLS=50 npx vitest run test/server/queue/embedded.test.ts */
const kills = Number(process.env.BARET_KILLS ?? 3);

const path = temporaryFolder();
const running: QueueProcess[] = [];
const start = (...args: ConstructorParameters<typeof QueueProcess>): QueueProcess => {
  const process = new QueueProcess(...args);
  running.push(process);
  return process;
};
afterEach(() => Promise.all(running.splice(0).map((process) => process.kill())));

test("a second process on a folder is told which process has it; a dead process's lock is taken over, a living one's never", async () => {
  const folder = path("two");
  const first = start({ folder }, "model", 0);
  await first.said("open");
  utimesSync(`${folder}.lock`, 0, 0);
  const second = start({ folder }, "model", 0);
  const words = await second.end();
  expect(words).toMatch(/another process uses this folder for its queue: found process \d+, since/);
  expect(words).toContain(`process ${first.pid},`);
  expect(words).toContain("--database postgres://");
  await first.kill();
  expect(existsSync(`${folder}.lock`)).toBe(true);
  const queue = await openQueue({ folder });
  await expect(openQueue({ folder })).rejects.toThrow(`process ${process.pid},`);
  await queue.close();
  expect(readdirSync(path()).filter((name) => name.startsWith("two."))).toEqual([]);
});

test("a folder of something else is not touched", async () => {
  const folder = path("photos");
  mkdirSync(folder);
  writeFileSync(path("photos", "dog.png"), "");
  await expect(openQueue({ folder })).rejects.toThrow(/the folder is not a queue's/);
  writeFileSync(path("photos", "PG_VERSION"), "17\n");
  await expect(openQueue({ folder })).rejects.toThrow(/found Postgres 17, expected Postgres 18/);
  expect(readdirSync(folder).sort()).toEqual(["PG_VERSION", "dog.png"]);
  expect(existsSync(`${folder}.lock`)).toBe(false);
});

test("if the database's thread dies, it starts again, waiting calls are answered, and running jobs go on", async () => {
  const threads: Worker[] = [];
  const original = workerThreads.Worker;
  workerThreads.Worker = class extends original {
    constructor(...args: ConstructorParameters<typeof original>) {
      super(...args);
      threads.push(this);
    }
  };
  syncBuiltinESMExports();
  try {
    const queue = await openQueue({ folder: path("thread") });
    const asked = someJob();
    await queue.submit(asked);
    const lease = await takeNow(queue, asked.model);
    const calls = Array.from({ length: 5 }, () => queue.submit(someJob()));
    await threads[0].terminate();
    expect((await Promise.all(calls)).map(({ isNew }) => isNew)).toEqual([true, true, true, true, true]);
    expect(threads).toHaveLength(2);
    expect(await lease.complete(someResult())).toBe(true);
    expect(await queue.stats()).toMatchObject({ queued: 5, done: 1 });
    await queue.close();
  } finally {
    workerThreads.Worker = original;
    syncBuiltinESMExports();
  }
});

test("a server killed while Postgres made its own lock file leaves a folder that opens", async () => {
  const folder = path("postmaster");
  // Another one was killed while it made a folder.
  mkdirSync(path("postmaster.new-1"));
  const first = await openQueue({ folder });
  expect(readdirSync(path()).filter((name) => name.startsWith("postmaster.new"))).toEqual([]);
  const { job } = await first.submit(someJob());
  await first.close();
  writeFileSync(`${folder}/postmaster.pid`, "");
  const second = await openQueue({ folder });
  expect(await second.get(job.id)).toMatchObject({ id: job.id, state: "queued" });
  await second.close();
});

test("a job that runs when its server is killed runs again, and no attempt counts", async () => {
  const folder = path("restarted");
  const settings = { attempts: 1 };
  let queue = await openQueue({ folder });
  const asked = someJob();
  const { job } = await queue.submit(asked);
  await queue.close();
  for (let i = 0; i < 2; i++) {
    const server = start({ folder, settings }, asked.model, 60_000);
    await server.said("took");
    await server.kill();
  }
  queue = await openQueue({ folder, settings });
  expect((await takeNow(queue, asked.model)).job).toMatchObject({ id: job.id, attempts: 3 });
  await queue.close();
});

test(`a server killed at ${kills} random moments loses no accepted job, and ends each once`, {
  timeout: 60_000 + 10_000 * kills,
}, async () => {
  const folder = path("killed");
  const [accepted, done] = [new Set<string>(), new Set<string>()];
  for (let i = 0; i < kills; i++) {
    const server = start({ folder, settings: { queuedPerClient: 1000 } }, "model", 5, "submit");
    // Every second one has accepted something that can be lost. The others are often killed while they start.
    if (i % 2 === 0) await server.said("accepted");
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 1500));
    await server.kill();
    for (const id of server.jobs("accepted")) accepted.add(id);
    for (const id of server.jobs("done")) done.add(id);
  }
  const queue = await openQueue({ folder });
  expect(accepted.size).toBeGreaterThan(0);
  const { queued } = await queue.stats();
  for (let i = 0; i < queued; i++) await (await takeNow(queue, "model")).complete(someResult({ seconds: 0 }));
  const states = await Promise.all([...accepted].map(async (id) => (await queue.get(id))?.state));
  expect(new Set(states)).toEqual(new Set(["done"]));
  // What a server called done is not run again.
  for (const id of done) expect((await queue.get(id))?.result?.seconds).not.toBe(0);
  await queue.close();
  console.log(`${accepted.size} jobs accepted, ${done.size} of them done by the killed servers`);
});

test("jobs leave nothing behind in the memory: neither in a signal that outlives them, nor on the heap", async () => {
  const queue = await openQueue({ folder: path("memory"), settings: { queued: 10_000, queuedPerClient: 10_000 } });
  const [model, long] = [randomHex(), new AbortController()];
  const heapAfter = async (jobs: number): Promise<number> => {
    for (let k = 0; k < jobs; k++) {
      const { job } = await queue.submit(someJob({ model }));
      const reading = (async () => {
        for await (const _ of queue.events(job.id, { signal: long.signal }));
      })();
      const lease = await queue.take([model], "worker", long.signal);
      await lease?.report({ type: "settings", settings: { text: "x".repeat(2000) } });
      await lease?.complete(someResult());
      await reading;
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await heapAfter(60);
  const after = await heapAfter(120);
  // A job that is kept has at least its request, its events and its result: some 6 kB.
  expect(after - before).toBeLessThan(120 * 3000);
  expect(getEventListeners(long.signal, "abort")).toEqual([]);
  // Where Node 20 keeps what AbortSignal.any has made.
  const kept = Object.getOwnPropertySymbols(long.signal).find(({ description }) => description === "kDependantSignals");
  expect(kept && (long.signal as unknown as Record<symbol, Set<unknown>>)[kept]?.size).toBeUndefined();
  await queue.close();
});
