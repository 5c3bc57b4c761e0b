import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { JobEvent } from "../../../src/server/api/index.ts";
import { BusyError, NotFoundError } from "../../../src/server/errors.ts";
import { openQueue, type QueueOptions } from "../../../src/server/node/queue/index.ts";
import type { JobQueue } from "../../../src/server/queue.ts";
import { temporaryFolder } from "../../support/files.ts";
import { titled } from "../../support/needs.ts";
import { noPostgres, type PostgresServer, startPostgres } from "../../support/postgres.ts";
import { allEvents, randomHex, someJob, somePreparation, someResult, takeNow } from "../../support/queueJobs.ts";

// Processes and databases start, and the machine may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const fault = { code: "engine", message: "The engine crashed." };
const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason));
  });

/** The laws of JobQueue. `open`: opens a queue on the same database each time. */
function contract(open: (settings?: QueueOptions["settings"]) => Promise<JobQueue>): void {
  let queue: JobQueue;
  beforeAll(async () => {
    queue = await open();
  });
  afterAll(() => queue?.close());

  describe("jobs", () => {
    test("equal keys share one job: queued, running, and done", async () => {
      const asked = someJob();
      const first = await queue.submit(asked);
      expect(first).toMatchObject({ isNew: true, job: { state: "queued", attempts: 0, request: asked.request } });
      const { id } = first.job;
      expect(await queue.submit({ ...asked, client: "bob" })).toMatchObject({ isNew: false, job: { id } });
      const lease = await takeNow(queue, asked.model);
      expect(await queue.submit({ ...asked, client: "cat" })).toMatchObject({
        isNew: false,
        job: { id, state: "running" },
      });
      await lease.complete(someResult());
      expect(await queue.submit({ ...asked, client: "dan" })).toMatchObject({
        isNew: false,
        job: { id, state: "done" },
      });
      expect(await queue.list({ client: "dan", limit: 1 })).toMatchObject([{ id, result: someResult() }]);
    });

    test("a key of a cancelled or failed job is free again", async () => {
      const asked = someJob();
      const first = await queue.submit(asked);
      await queue.cancel(first.job.id, "ann");
      const second = await queue.submit(asked);
      expect(second.isNew).toBe(true);
      await (await takeNow(queue, asked.model)).fail(fault, { retry: false });
      expect(await queue.get(second.job.id)).toMatchObject({ state: "failed", error: fault });
      expect((await queue.submit(asked)).isNew).toBe(true);
    });

    test("a client that leaves takes its interest back only if it did nothing but wait, in whatever order it asked", async () => {
      const [asked, waiting] = [someJob(), { waits: true }];
      for (const [first, second] of [
        [{}, waiting],
        [waiting, {}],
      ]) {
        const { id } = (await queue.submit({ ...asked, ...first })).job;
        await queue.submit({ ...asked, ...second });
        await queue.leave(id, "ann");
        expect(await queue.cancel(id, "eve")).toMatchObject({ state: "queued" });
        expect(await queue.cancel(id, "ann")).toMatchObject({ state: "cancelled" });
      }
      const { id } = (await queue.submit({ ...asked, ...waiting })).job;
      await queue.submit({ ...asked, ...waiting });
      await queue.leave(id, "eve");
      expect(await queue.get(id)).toMatchObject({ state: "queued" });
      await queue.leave(id, "ann");
      expect(await queue.get(id)).toMatchObject({ state: "cancelled" });
      await queue.leave(randomHex(16), "ann");
    });

    test("many equal submissions at once make one job", async () => {
      const asked = someJob();
      const all = await Promise.all(Array.from({ length: 10 }, (_, i) => queue.submit({ ...asked, client: `c${i}` })));
      expect(new Set(all.map(({ job }) => job.id)).size).toBe(1);
      expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
    });

    test("a job stops only if no client wants it any more; a stranger cannot stop it", async () => {
      const asked = someJob();
      const { id } = (await queue.submit(asked)).job;
      await queue.submit({ ...asked, client: "bob" });
      expect(await queue.cancel(id, "eve")).toMatchObject({ state: "queued" });
      expect(await queue.cancel(id, "ann")).toMatchObject({ state: "queued" });
      expect(await queue.cancel(id, "ann")).toMatchObject({ state: "queued" });
      expect(await queue.cancel(id, "bob")).toMatchObject({ state: "cancelled" });
      expect(await queue.cancel(randomHex(16), "bob")).toBeUndefined();
    });

    test("lists are newest first, by client, state and words, and go on before a job", async () => {
      const client = randomHex(4);
      const ids: string[] = [];
      for (const target of ["A Red cat", "a red dog", "100% of a dog's toys"]) {
        ids.unshift((await queue.submit(someJob({ client, request: { target } }))).job.id);
      }
      const list = async (filter: object): Promise<string[]> =>
        (await queue.list({ client, ...filter })).map(({ id }) => id);
      expect(await list({})).toEqual(ids);
      expect(await list({ limit: 2 })).toEqual(ids.slice(0, 2));
      expect(await list({ before: ids[0] })).toEqual(ids.slice(1));
      expect(await list({ search: "red a" })).toEqual(ids.slice(1));
      expect(await list({ search: "0% DOG'S" })).toEqual(ids.slice(0, 1));
      await queue.cancel(ids[1], client);
      expect(await list({ states: ["cancelled"] })).toEqual([ids[1]]);
      expect(await list({ states: ["queued"], search: "red" })).toEqual([ids[2]]);
    });

    test("an ended job leaves the list of the client who removes it, and is forgotten with its last client", async () => {
      const asked = someJob();
      const { id } = (await queue.submit(asked)).job;
      await queue.submit({ ...asked, client: "bob" });
      expect(await queue.remove(id, "ann")).toBe(false);
      await (await takeNow(queue, asked.model)).complete(someResult());
      expect(await queue.remove(id, "eve")).toBe(false);
      expect(await queue.remove(id, "ann")).toBe(true);
      expect(await queue.get(id)).toMatchObject({ state: "done" });
      expect(await queue.remove(id, "bob")).toBe(true);
      expect(await queue.get(id)).toBeUndefined();
      expect((await queue.submit(asked)).isNew).toBe(true);
    });

    test("any text comes back", async () => {
      const target = "nul \0, half \ud800 pair, \u{1f600}, 'quotes' \\ \"";
      const { job } = await queue.submit(someJob({ client: "a\0b\ud800", request: { target } }));
      expect((await queue.get(job.id))?.request.target).toBe(target);
      expect(await queue.list({ client: "a\0b\ud800", search: "nul \0" })).toHaveLength(1);
    });
  });

  describe("order and limits", () => {
    test("interactive jobs run before batch jobs, and clients take turns", async () => {
      const [model, run] = [randomHex(), randomHex(4)];
      const add = async (
        client: string,
        target: string,
        priority: "interactive" | "batch" = "interactive",
      ): Promise<void> => {
        await queue.submit(someJob({ model, client: client + run, request: { target, priority } }));
      };
      for (const target of ["many 1", "many 2", "many 3", "many 4"]) await add("many", target, "batch");
      for (const target of ["ann 1", "ann 2", "ann 3"]) await add("ann", target);
      for (const target of ["bob 1", "bob 2"]) await add("bob", target);
      await add("few", "few 1", "batch");
      const order: string[] = [];
      for (let i = 0; i < 5; i++) order.push((await takeNow(queue, model)).job.request.target);
      await add("late", "late 1", "batch");
      for (let i = 0; i < 6; i++) order.push((await takeNow(queue, model)).job.request.target);
      expect(order.slice(0, 5)).toEqual(["ann 1", "bob 1", "ann 2", "bob 2", "ann 3"]);
      expect(order.slice(5)).toEqual(["many 1", "few 1", "late 1", "many 2", "many 3", "many 4"]);
    });

    test("an interactive client who joins a waiting batch job makes it interactive", async () => {
      const model = randomHex();
      const [a, b] = [
        someJob({ model, request: { priority: "batch" } }),
        someJob({ model, request: { priority: "batch" } }),
      ];
      for (const asked of [a, b]) await queue.submit(asked);
      const joined = await queue.submit({ ...b, request: { ...b.request, priority: "interactive" }, client: "bob" });
      expect((await takeNow(queue, model)).job.id).toBe(joined.job.id);
    });

    test("a worker takes jobs of its models only, and waits for them", async () => {
      const [own, other] = [someJob(), someJob()];
      await queue.submit(other);
      const taken = queue.take([own.model, randomHex()], "worker", AbortSignal.timeout(20_000));
      const { job } = await queue.submit(own);
      expect((await taken)?.job).toMatchObject({ id: job.id, state: "running", attempts: 1 });
    });

    test("a worker that stops waiting takes nothing", async () => {
      const asked = someJob();
      const stop = new AbortController();
      const taken = queue.take([asked.model], "worker", stop.signal);
      stop.abort();
      expect(await taken).toBeUndefined();
      await queue.submit(asked);
      await takeNow(queue, asked.model);
    });

    test("two workers never take the same job", async () => {
      const model = randomHex();
      const ids: string[] = [];
      for (let i = 0; i < 12; i++) ids.push((await queue.submit(someJob({ model, client: `c${i}` }))).job.id);
      const leases = await Promise.all(ids.map((_, i) => takeNow(queue, model, `worker ${i % 3}`)));
      expect(leases.map(({ job }) => job.id).sort()).toEqual(ids.sort());
    });
  });

  describe("attempts", () => {
    test("a cancel reaches the worker at once, not with its next sign of life", async () => {
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const lease = await takeNow(queue, asked.model);
      const start = performance.now();
      const reason = aborted(lease.signal);
      await queue.cancel(job.id, "ann");
      expect(await reason).toBe("cancelled");
      expect(performance.now() - start).toBeLessThan(4000);
      expect(await lease.complete(someResult())).toBe(false);
      expect(await queue.get(job.id)).toMatchObject({ state: "cancelled" });
    });

    test("a completed job has its result, and no later word changes it", async () => {
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const lease = await takeNow(queue, asked.model);
      expect(await lease.complete(someResult({ seconds: 7 }))).toBe(true);
      await lease.fail(fault, { retry: false });
      await lease.report({ type: "settings", settings: {} });
      expect(await queue.get(job.id)).toMatchObject({ state: "done", result: { seconds: 7 } });
      expect((await allEvents(queue, job.id)).map(({ type }) => type)).toEqual(["state", "state", "state"]);
    });

    test("a job whose attempts fail by the machine's fault runs three times, then fails with that error", async () => {
      const asked = someJob();
      const { job } = await queue.submit(asked);
      for (const attempt of [1, 2, 3]) {
        const lease = await takeNow(queue, asked.model);
        expect(lease.attempt).toBe(attempt);
        await lease.fail(fault, { retry: true });
      }
      const ended = await queue.get(job.id);
      expect(ended).toMatchObject({ state: "failed", attempts: 3, error: { code: "engine" } });
      expect(ended?.error?.message).toBe(
        "The engine crashed. After attempt 3 of 3 without new steps the job is given up.",
      );
    });

    test("a job that gets further in every attempt is not given up", async () => {
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const preparation = somePreparation();
      for (let done = 1; done <= 6; done++) {
        const lease = await takeNow(queue, asked.model);
        await lease.savePreparation({ ...preparation, done });
        await lease.fail(fault, { retry: true });
      }
      const lease = await takeNow(queue, asked.model);
      expect(lease.attempt).toBe(7);
      expect(await lease.complete(someResult())).toBe(true);
      expect(await queue.get(job.id)).toMatchObject({ state: "done" });
    });

    test("a job that fails at the same step is given up after three attempts there, however far it got before", async () => {
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const preparation = somePreparation();
      for (const done of [1, 2, 7, 7, 6, 7]) {
        const lease = await takeNow(queue, asked.model);
        await lease.savePreparation({ ...preparation, done });
        await lease.fail(fault, { retry: true });
      }
      expect(await queue.get(job.id)).toMatchObject({ state: "failed", attempts: 6 });
    });

    test("steps that another job has stored already forgive nothing", async () => {
      const [first, second] = [someJob(), someJob()];
      const preparation = somePreparation();
      await queue.submit(first);
      await (await takeNow(queue, first.model)).savePreparation(preparation);
      const { job } = await queue.submit(second);
      for (let attempt = 0; attempt < 3; attempt++) {
        const lease = await takeNow(queue, second.model);
        await lease.savePreparation(preparation);
        await lease.fail(fault, { retry: true });
      }
      expect(await queue.get(job.id)).toMatchObject({ state: "failed", attempts: 3 });
    });

    test("a released job is taken again, and the attempt does not count", async () => {
      const asked = someJob();
      await queue.submit(asked);
      for (let i = 0; i < 4; i++) await (await takeNow(queue, asked.model)).release();
      const lease = await takeNow(queue, asked.model);
      expect(lease.attempt).toBe(1);
      expect(await lease.complete(someResult())).toBe(true);
    });
  });

  describe("events", () => {
    test("kept events are numbered without a gap, and can be read from any number on", async () => {
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const live = allEvents(queue, job.id);
      const lease = await takeNow(queue, asked.model);
      await Promise.all([1, 2, 3].map((n) => lease.report({ type: "settings", settings: { n } })));
      await lease.complete(someResult());
      const kept = await allEvents(queue, job.id);
      expect(kept.map((event) => "seq" in event && event.seq)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(kept).toMatchObject([
        { state: "queued" },
        { state: "running", attempts: 1 },
        ...[1, 2, 3].map((n) => ({ settings: { n } })),
        { state: "done", result: someResult() },
      ]);
      expect((await live).filter((event) => "seq" in event)).toEqual(kept);
      expect(await allEvents(queue, job.id, 4)).toEqual(kept.slice(4));
      expect(await allEvents(queue, job.id, 6)).toEqual([]);
    });

    test("of much progress, at most two a second are sent, and the newest arrives", async () => {
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const lease = await takeNow(queue, asked.model);
      const stop = new AbortController();
      const seen: JobEvent[] = [];
      const reading = (async () => {
        for await (const event of queue.events(job.id, { signal: stop.signal })) {
          seen.push(event);
          if (event.type === "progress" && event.progress.done === 100) stop.abort();
        }
      })();
      const start = performance.now();
      for (let done = 1; done <= 100; done++) {
        await lease.report({ type: "progress", progress: { phase: "sample", done, total: 100 } });
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await lease.report({ type: "preview", preview: "data:image/webp;base64,AA" });
      await reading;
      const seconds = (performance.now() - start) / 1000;
      const sent = seen.filter(({ type }) => type === "progress").length;
      expect(sent).toBeGreaterThan(1);
      expect(sent).toBeLessThanOrEqual(2 * seconds + 2);
      await expect
        .poll(() => queue.get(job.id), { timeout: 5000 })
        .toMatchObject({
          progress: { done: 100 },
          preview: "data:image/webp;base64,AA",
        });
      await lease.complete(someResult());
      expect(await queue.get(job.id)).not.toHaveProperty("preview");
    });

    test("a waiting job tells its position, also when it changes", async () => {
      const model = randomHex();
      await queue.submit(someJob({ model, client: "x" }));
      const { job } = await queue.submit(someJob({ model, client: "y" }));
      const before = job.position!;
      expect(before).toBeGreaterThan(0);
      const positions: number[] = [];
      const reading = (async () => {
        for await (const event of queue.events(job.id, { signal: AbortSignal.timeout(20_000) })) {
          if (event.type === "position") positions.push(event.position);
          if (positions.length === 2) return;
        }
      })();
      await expect.poll(() => positions, { timeout: 10_000 }).toEqual([before]);
      await takeNow(queue, model);
      await reading;
      expect(positions).toEqual([before, before - 1]);
    });

    test("events of an unknown job are an error, and end if the job is forgotten or the reader leaves", async () => {
      await expect(allEvents(queue, randomHex(16))).rejects.toThrow(NotFoundError);
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const stop = new AbortController();
      const reading = (async () => {
        for await (const _ of queue.events(job.id, { signal: stop.signal }));
      })();
      stop.abort();
      await reading;
    });
  });

  test("preparations are found by key, and one that got further stays", async () => {
    const preparation = somePreparation();
    expect(await queue.findPreparation(preparation.key)).toBeUndefined();
    const asked = someJob();
    await queue.submit(asked);
    const lease = await takeNow(queue, asked.model);
    for (const done of [10, 20, 5]) await lease.savePreparation({ ...preparation, done });
    await lease.release();
    expect(await queue.findPreparation(preparation.key)).toMatchObject({ done: 20, blob: preparation.blob });
    expect(await queue.preparations()).toContainEqual({ ...preparation, done: 20 });
    expect(await queue.retain({ jobs: 1000, days: 1 })).toContain(preparation.blob);
  });

  test("retention forgets old ended jobs, and returns every blob that is still named", async () => {
    const ended: string[] = [];
    const [photo, picture, mask] = [randomHex(), randomHex(), randomHex()];
    for (let i = 0; i < 3; i++) {
      const asked = someJob({ request: { photo, options: { mask } } });
      ended.push((await queue.submit(asked)).job.id);
      const made = { name: "edit", picture: { id: i === 2 ? picture : randomHex(), width: 8, height: 8 } };
      await (await takeNow(queue, asked.model)).complete(someResult({ pictures: [made] }));
    }
    const waiting = await queue.submit(someJob());
    const named = await queue.retain({ jobs: 1, days: 30 });
    expect(await queue.get(ended[0])).toBeUndefined();
    expect(await queue.get(ended[2])).toMatchObject({ state: "done" });
    expect(await queue.get(waiting.job.id)).toMatchObject({ state: "queued" });
    for (const blob of [photo, picture, mask, waiting.job.request.photo]) expect(named).toContain(blob);
    await queue.retain({ jobs: 1000, days: 0 });
    expect(await queue.get(ended[2])).toBeUndefined();
  });

  test("facts count jobs by state, and workers", async () => {
    const before = await queue.stats();
    const asked = someJob();
    await queue.submit(asked);
    expect(await queue.stats()).toMatchObject({ queued: before.queued + 1, running: before.running });
    const worker = randomHex(4);
    const lease = await takeNow(queue, asked.model, worker);
    expect(await queue.stats()).toMatchObject({ running: before.running + 1, workers: before.workers + 1 });
    await lease.complete(someResult());
    expect(await queue.stats()).toMatchObject({ ...before, done: before.done + 1, workers: before.workers + 1 });
  });

  describe("with other settings", () => {
    test("a full queue says when to come again", async () => {
      await queue.close();
      queue = await open();
      const count = (await queue.stats()).queued;
      await queue.close();
      queue = await open({ queuedPerClient: 2, queued: count + 3 });
      const client = randomHex(4);
      for (let i = 0; i < 2; i++) await queue.submit(someJob({ client }));
      const own = await queue.submit(someJob({ client })).catch((error) => error);
      expect(own).toBeInstanceOf(BusyError);
      expect(own.message).toMatch(/too many of your jobs wait: found 2, expected fewer than 2\.\nTry again in \d+ s\./);
      expect(own.retryAfter).toBeGreaterThan(0);
      await queue.submit(someJob({ client: "another" }));
      await expect(queue.submit(someJob({ client: "third" }))).rejects.toThrow(/too many jobs wait/);
    });

    test("a silent worker's job goes to another one, and its late word is ignored; after three it fails", async () => {
      await queue.close();
      queue = await open({ heartbeatSeconds: 1000, silentSeconds: 3 });
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const silent = await takeNow(queue, asked.model);
      const second = await takeNow(queue, asked.model);
      expect(second.attempt).toBe(2);
      expect(await silent.complete(someResult({ seconds: 99 }))).toBe(false);
      expect(await queue.get(job.id)).toMatchObject({ state: "running" });
      const third = await takeNow(queue, asked.model);
      expect(third.attempt).toBe(3);
      const events = await allEvents(queue, job.id);
      expect(events.at(-1)).toMatchObject({ state: "failed", attempts: 3, error: { code: "worker_lost" } });
      expect(await third.complete(someResult())).toBe(false);
    });

    test("the death of a worker whose attempt got further does not count", async () => {
      await queue.close();
      queue = await open({ attempts: 1, heartbeatSeconds: 1000, silentSeconds: 3 });
      const asked = someJob();
      const { job } = await queue.submit(asked);
      await (await takeNow(queue, asked.model)).savePreparation(somePreparation());
      expect(await takeNow(queue, asked.model)).toMatchObject({ attempt: 2 });
      await expect.poll(() => queue.get(job.id), { timeout: 20_000 }).toMatchObject({ state: "failed", attempts: 2 });
    });

    test("a job and its events are there after a restart; closing gives the job of a worker back", async () => {
      await queue.close();
      queue = await open();
      const asked = someJob();
      const { job } = await queue.submit(asked);
      const lease = await takeNow(queue, asked.model);
      await lease.report({ type: "settings", settings: { n: 1 } });
      const lost = aborted(lease.signal);
      await queue.close();
      expect(await lost).toBe("lost");
      queue = await open();
      expect(await queue.get(job.id)).toMatchObject({ state: "queued" });
      const again = await takeNow(queue, asked.model);
      expect(again.attempt).toBe(1);
      await again.complete(someResult());
      expect(await allEvents(queue, job.id)).toMatchObject([
        { state: "queued" },
        { state: "running" },
        { settings: { n: 1 } },
        { state: "queued" },
        { state: "running" },
        { state: "done" },
      ]);
    });
  });
}

describe("embedded", () => {
  const path = temporaryFolder();
  contract((settings) => openQueue({ folder: path("queue"), settings }));
});

describe.skipIf(noPostgres)(titled("on a Postgres server", noPostgres), () => {
  let server: PostgresServer;
  beforeAll(() => {
    server = startPostgres();
  });
  afterAll(() => server?.delete());
  contract((settings) => openQueue({ database: server.url, settings }));
});
