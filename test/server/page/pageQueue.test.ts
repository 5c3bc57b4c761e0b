import { describe, expect, onTestFinished, test, vi } from "vitest";
import { StorageError } from "../../../src/core/index.ts";
import type { JobEvent, JobId } from "../../../src/server/api/index.ts";
import { BusyError, ConflictError, NotFoundError } from "../../../src/server/errors.ts";
import { type JobStore, PageQueue, type StoredJob } from "../../../src/server/page/index.ts";
import { keepRoom } from "../../../src/server/page/room.ts";
import type { Lease } from "../../../src/server/queue.ts";
import { randomHex, someRequest, someResult } from "../../support/queueJobs.ts";

/** Keeps jobs as JSON, as a browser does, and fails on demand. */
class TestStore implements JobStore {
  readonly files = new Map<JobId, string>();
  isFull = false;

  all = async (): Promise<StoredJob[]> => [...this.files.values()].map((text) => JSON.parse(text));
  save = async (stored: StoredJob): Promise<void> => {
    if (this.isFull) throw new StorageError("the storage is full");
    this.files.set(stored.job.id, JSON.stringify(stored));
  };
  delete = async (id: JobId): Promise<void> => void this.files.delete(id);
}

const never = new AbortController().signal;
async function taken(queue: PageQueue): Promise<Lease> {
  const lease = await queue.take(AbortSignal.timeout(5000));
  if (!lease) throw new Error("no job was there to take");
  return lease;
}
const fault = { code: "engine", message: "The engine crashed." };

describe("the queue of a page", () => {
  test("jobs of equal keys are one job, until it fails or is cancelled", async () => {
    const queue = await PageQueue.open(new TestStore());
    const [request, key] = [someRequest(), randomHex()];
    const { id } = await queue.submit(request, key);
    expect((await queue.submit(request, key)).id).toBe(id);
    await (await taken(queue)).complete(someResult());
    expect(await queue.submit(request, key)).toMatchObject({ id, state: "done", result: someResult() });
    const failing = await queue.submit(request, randomHex());
    await (await taken(queue)).fail(fault, { retry: false });
    expect(queue.get(failing.id)).toMatchObject({ state: "failed", error: fault });
  });

  test("a job whose model is not open waits, others run meanwhile, and it runs once the model is open", async () => {
    const queue = await PageQueue.open(new TestStore());
    let isOpen = false;
    const take = () => queue.take(AbortSignal.timeout(5000), ({ request }) => isOpen || request.model === undefined);
    await queue.submit(someRequest({ target: "waits", model: "mine" }), randomHex());
    await queue.submit(someRequest({ target: "runs" }), randomHex());
    const first = await take();
    expect(first?.job.request.target).toBe("runs");
    await first?.complete(someResult());
    const second = take();
    isOpen = true;
    queue.lookAgain();
    expect((await second)?.job.request.target).toBe("waits");
  });

  test("one job runs at a time: interactive ones in their order, then batch ones", async () => {
    const queue = await PageQueue.open(new TestStore());
    const add = (target: string, priority: "interactive" | "batch") =>
      queue.submit(someRequest({ target, priority }), randomHex());
    await add("late", "batch");
    for (const target of ["first", "second"]) await add(target, "interactive");
    expect(queue.list({}).map(({ request, position }) => [request.target, position])).toEqual([
      ["second", 1],
      ["first", 0],
      ["late", 2],
    ]);
    const order: string[] = [];
    for (let i = 0; i < 3; i++) {
      const lease = await taken(queue);
      order.push(lease.job.request.target);
      await lease.complete(someResult());
    }
    expect(order).toEqual(["first", "second", "late"]);
  });

  test("a job that ran when the page was closed runs first when it is opened again, and all others are there", async () => {
    const store = new TestStore();
    const before = await PageQueue.open(store);
    const done = await before.submit(someRequest({ target: "done" }), "done");
    await (await taken(before)).complete(someResult({ seconds: 7 }));
    const running = await before.submit(someRequest({ target: "running", priority: "batch" }), "running");
    const lease = await taken(before);
    await lease.report({ type: "settings", settings: { steps: 2 } });
    const waiting = await before.submit(someRequest({ target: "waiting" }), "waiting");

    const after = await PageQueue.open(store);
    expect(after.list({}).map(({ id, state }) => [id, state])).toEqual([
      [waiting.id, "queued"],
      [running.id, "queued"],
      [done.id, "done"],
    ]);
    expect(after.get(done.id).result).toEqual(someResult({ seconds: 7 }));
    expect(await taken(after)).toMatchObject({ attempt: 2, job: { id: running.id, state: "running" } });
    expect(after.events(running.id).map((event) => "seq" in event && event.seq)).toEqual([1, 2, 3, 4, 5]);
  });

  test("a job that gets further in every attempt goes on, however often the page is loaded again", async () => {
    const store = new TestStore();
    const { id } = await (await PageQueue.open(store)).submit(someRequest(), randomHex());
    for (let done = 1; done <= 6; done++) {
      const lease = await taken(await PageQueue.open(store));
      await lease.report({ type: "progress", progress: { phase: "tune", done, total: 6 } });
    }
    const queue = await PageQueue.open(store);
    await (await taken(queue)).complete(someResult());
    expect(queue.get(id)).toMatchObject({ state: "done", attempts: 7 });
  });

  test("a job that takes the page with it three times, and gets no further, fails", async () => {
    const store = new TestStore();
    const { id } = await (await PageQueue.open(store)).submit(someRequest(), randomHex());
    for (let i = 0; i < 3; i++) await taken(await PageQueue.open(store));
    const queue = await PageQueue.open(store);
    expect(await queue.take(AbortSignal.timeout(50))).toBeUndefined();
    expect(queue.get(id)).toMatchObject({ state: "failed", attempts: 3, error: { code: "memory" } });
  });

  test("a cancelled job stops at once, and what it says later is ignored; cancelling all starts none", async () => {
    const queue = await PageQueue.open(new TestStore());
    const first = await queue.submit(someRequest(), "1");
    const others = [await queue.submit(someRequest(), "2"), await queue.submit(someRequest(), "3")];
    const lease = await taken(queue);
    await queue.cancelAll();
    expect(lease.signal.aborted).toBe(true);
    expect(await lease.complete(someResult())).toBe(false);
    for (const { id } of [first, ...others]) expect(queue.get(id).state).toBe("cancelled");
    expect(await queue.take(AbortSignal.timeout(50))).toBeUndefined();
  });

  test("kept events are numbered; progress is told, replaced by newer, and gone with the end", async () => {
    const queue = await PageQueue.open(new TestStore());
    const { id } = await queue.submit(someRequest(), randomHex());
    const heard: JobEvent[] = [];
    queue.listen((job, event) => job === id && heard.push(event));
    const lease = await taken(queue);
    for (const done of [1, 2]) await lease.report({ type: "progress", progress: { phase: "edit", done, total: 2 } });
    expect(queue.events(id, 1)).toMatchObject([
      { seq: 2, type: "state", state: "running" },
      { type: "progress", progress: { done: 2 } },
    ]);
    await lease.complete(someResult());
    expect(heard.map((event) => event.type)).toEqual(["state", "progress", "progress", "state"]);
    expect(queue.get(id)).not.toHaveProperty("progress");
    expect(queue.events(id).map((event) => "seq" in event && event.seq)).toEqual([1, 2, 3]);
  });

  test("a full storage refuses a new job and keeps what is done", async () => {
    const store = new TestStore();
    const queue = await PageQueue.open(store);
    const { id } = await queue.submit(someRequest(), "kept");
    await (await taken(queue)).complete(someResult());
    store.isFull = true;
    await expect(queue.submit(someRequest(), "refused")).rejects.toThrow(StorageError);
    expect(queue.list({}).map((job) => job.id)).toEqual([id]);
    store.isFull = false;
    expect((await queue.submit(someRequest(), "refused")).state).toBe("queued");
  });

  test("too many waiting jobs, unknown jobs and jobs that have not ended are refused by name", async () => {
    const queue = await PageQueue.open(new TestStore());
    const { id } = await queue.submit(someRequest(), "0");
    for (let k = 1; k < 50; k++) await queue.submit(someRequest(), `${k}`);
    await expect(queue.submit(someRequest(), "50")).rejects.toThrow(BusyError);
    await expect(queue.remove(id)).rejects.toThrow(ConflictError);
    expect(() => queue.get("0".repeat(32))).toThrow(NotFoundError);
    expect(await queue.take(AbortSignal.any([never, AbortSignal.timeout(5000)]))).toBeDefined();
  });
});

test("beyond its size, the results that were not asked for longest go, with the pictures that only they name", async () => {
  const queue = await PageQueue.open(new TestStore());
  const sizes = new Map<string, number>();
  const make = async (name: string, photo: string): Promise<string> => {
    const { id } = await queue.submit(someRequest({ target: name, photo }), name);
    const picture = { id: randomHex(), width: 8, height: 8 };
    sizes.set(picture.id, 100);
    await (await taken(queue)).complete(someResult({ pictures: [{ name: "edit", picture }] }));
    return id;
  };
  const [photo, spare] = [randomHex(), randomHex()];
  sizes.set(photo, 100).set(spare, 100);
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const later = () => vi.setSystemTime(Date.now() + 5);
  const old = await make("old", photo);
  later();
  const young = await make("young", photo);
  later();
  queue.get(old);
  const blobs = {
    put: async () => "",
    get: async () => undefined,
    head: async () => undefined,
    delete: async (id: string) => void sizes.delete(id),
    async *list() {
      for (const [id, bytes] of sizes) yield { id, bytes, stored: 0 };
    },
  };
  expect(await keepRoom(queue, blobs, 200)).toEqual({ bytes: 200, forgotten: 1 });
  expect(queue.list({}).map(({ id }) => id)).toEqual([old]);
  expect(() => queue.get(young)).toThrow(NotFoundError);
  expect(sizes.size).toBe(2);
  expect(sizes.has(spare)).toBe(false);
});
