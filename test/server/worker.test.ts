import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Picture } from "../../src/core/index.ts";
import { readRecord } from "../../src/image/index.ts";
import { decodeImage, encodePng } from "../../src/image/node/index.ts";
import {
  type BlobId,
  type JobRequestInput,
  type JobResult,
  jobEvent,
  jobRequest,
  jobResult,
} from "../../src/server/api/index.ts";
import type { BlobStore } from "../../src/server/blobs.ts";
import {
  describeModels,
  openBlobs,
  type RunnerModel,
  runnerModels,
  startWorker,
  type Worker,
  type WorkerEvent,
} from "../../src/server/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { collect } from "../support/collect.ts";
import { fixturePath } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";
import { type QueuedJob, WorkerQueue } from "../support/workerQueue.ts";

// A runner starts two processes, and the machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const tiny = { name: "tiny", load: fixturePath("tiny-sd1"), sha256: "1".repeat(64) };
const target = "a dog lying down";
const folder = mkdtempSync(join(tmpdir(), "baret-worker-"));
const jobs = join(folder, "cache", "jobs");

let blobs: BlobStore;
let photo: BlobId;
let worker: Worker;
const log: WorkerEvent[] = [];
const memory = new WorkerQueue();
const stopping = new AbortController();

const start = (queue: WorkerQueue, signal: AbortSignal, models: readonly RunnerModel[] = [tiny]): Worker =>
  startWorker({
    queue: queue.queue,
    blobs,
    models,
    name: "test",
    threads: 1,
    stepsEveryMs: 50,
    signal,
    onEvent: (event) => void log.push(event),
  });

beforeAll(async () => {
  process.env.BARET_CACHE = join(folder, "cache");
  blobs = await openBlobs(join(folder, "blobs"));
  photo = await blobs.put(await encodePng(smoothPicture(1)));
  worker = start(memory, stopping.signal);
});
afterAll(async () => {
  stopping.abort();
  await worker.stopped;
  delete process.env.BARET_CACHE;
  rmSync(folder, { recursive: true });
});

const quick = { steps: 2, iterations: 1 };
const requestOf = (more: Partial<JobRequestInput> & Pick<JobRequestInput, "kind">) =>
  jobRequest.parse({ photo, target, ...more });

async function resultOf({ ended }: QueuedJob): Promise<JobResult> {
  const ending = await ended;
  if (typeof ending === "object" && "result" in ending) return ending.result;
  throw new Error(`no result: ${JSON.stringify(ending)}`);
}

const pictureOf = async (id: BlobId): Promise<Picture> => decodeImage((await blobs.get(id))!);

/** Runs the local command with the same photo and settings. */
async function localEdit(...options: string[]): Promise<Picture> {
  const [from, to] = [join(folder, "photo.png"), join(folder, "local.png")];
  await blobs.getFile(photo, from);
  const model = ["--model", tiny.load, "--threads", "1"];
  await inProcess("edit", from, target, ...model, "-o", to, "--quiet", ...options);
  return decodeImage(to);
}

test("an edit has the pixels of the local command, and its events, result and record name no path of this machine", async () => {
  const options = { ...quick, alpha: 0.3 };
  const queued = memory.add(requestOf({ kind: "edit", options, images: ["edit", "reconstruction"], previews: true }));
  const result = await resultOf(queued);
  expect(jobResult.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
  expect(result.pictures.map(({ name }) => name)).toEqual(["edit", "reconstruction"]);
  expect(result).toMatchObject({ reusedPreparation: false, settings: { method: "baret", target, steps: 2 } });

  const [{ picture }] = result.pictures;
  const local = await localEdit("--steps", "2", "--iterations", "1", "--alpha", "0.3");
  expect((await pictureOf(picture.id)).data).toEqual(local.data);

  for (const event of queued.events) jobEvent.parse(isFleeting(event) ? event : { seq: 1, ...event });
  const types = queued.events.map(({ type }) => type);
  for (const type of ["settings", "progress", "prepared", "picture"]) expect(types).toContain(type);

  const record = readRecord((await blobs.get(picture.id))!)!;
  expect(JSON.parse(record)).toMatchObject({ photo: { path: `${photo}.png` }, model: { name: "tiny" }, image: "edit" });
  expect(record + JSON.stringify([result, queued.events])).not.toContain(folder);
});

const isFleeting = ({ type }: { readonly type: string }): boolean => ["progress", "preview", "position"].includes(type);

test("an edit of the package's model that chooses its strength has the pixels of the local command", async () => {
  const own = new WorkerQueue();
  const stop = new AbortController();
  const [described] = await describeModels(["menagerie"]);
  const models = await runnerModels(["menagerie"], [described]);
  const other = start(own, stop.signal, models);
  const prompt = "a white dog standing on the grass";
  const dog = await blobs.putFile("examples/dog.png");
  const options = { steps: 5, iterations: 1 };
  const request = { kind: "edit", photo: dog, target: prompt, options, strip: true, previews: true } as const;
  const queued = own.add(jobRequest.parse(request));
  const result = await resultOf(queued);
  const to = join(folder, "menagerie.png");
  const settings = ["--steps", "5", "--iterations", "1", "--threads", "1", "--save-all", "--quiet"];
  await inProcess("edit", "examples/dog.png", prompt, ...settings, "-o", to);
  const local = await decodeImage(to);
  expect((await pictureOf(result.pictures[0].picture.id)).data).toEqual(local.data);
  expect(result.strength).toMatchObject({ keep: expect.any(Number) });

  // The edit of the strip that was chosen is the edit, and its settings tell how.
  const chosen = result.strip!.find(({ keep }) => keep === result.strength!.keep)!;
  expect((await pictureOf(chosen.picture.id)).data).toEqual(local.data);
  expect(result.strip).toHaveLength(9);
  for (const event of queued.events) {
    if (event.type !== "preview") continue;
    expect(event.preview).toMatch(/^data:image\/webp;base64,/);
    expect(event.preview.length).toBeLessThan(64_000);
  }
  stop.abort();
  await other.stopped;
});

test("a prepared photo serves the next edit", async () => {
  const options = { ...quick, iterations: 2 };
  const first = await resultOf(memory.add(requestOf({ kind: "edit", options })));
  const second = await resultOf(memory.add(requestOf({ kind: "edit", options: { ...options, alpha: 0.5 } })));
  expect([first.reusedPreparation, second.reusedPreparation]).toEqual([false, true]);
  expect([...memory.preparations.values()].every(({ done, total }) => done === total)).toBe(true);
});

test("nothing of a job is kept when it has ended", async () => {
  const own = new WorkerQueue();
  const stop = new AbortController();
  const other = start(own, stop.signal);
  for (const guidance of [1, 2, 3, 4]) {
    const options = { steps: 2, guidance };
    await resultOf(own.add(requestOf({ kind: "edit", method: "plain", options })));
  }
  const kept = (): number => {
    collect();
    return own.leases.filter((lease) => lease.deref() !== undefined).length;
  };
  // The last one may still be on its way out.
  await expect.poll(kept, { timeout: 20_000 }).toBeLessThanOrEqual(1);
  expect(own.leases).toHaveLength(4);
  stop.abort();
  await other.stopped;
});

test("a comparison has a picture of each method, and those that failed or are left out", async () => {
  const options = { baret: quick, plain: { steps: 2 }, sdedit: { steps: 2 } };
  const request = requestOf({ kind: "compare", methods: ["baret", "plain", "sdedit"], options });
  const result = await resultOf(memory.add(request));
  expect(result.pictures.map(({ name }) => name)).toEqual(["baret", "plain", "sdedit"]);
  for (const { costs, psnr } of result.pictures) expect([costs?.edit.evaluations, psnr]).not.toContain(undefined);
  expect(result.failures).toEqual([]);
});

test("a sweep has a picture of each combination, in rows", async () => {
  const axes = { alpha: [0.1, 0.9], selfSteps: [0, 0.5, 1] };
  const queued = memory.add(requestOf({ kind: "sweep", options: quick, axes }));
  const result = await resultOf(queued);
  expect(result.columns).toBe(3);
  expect(result.pictures.map(({ name }) => name)).toEqual(["0", "1", "2", "3", "4", "5"]);
  expect(result.pictures.map(({ settings }) => settings?.selfSteps)).toEqual([
    [0, 0],
    [0, 0.5],
    [0, 1],
    [0, 0],
    [0, 0.5],
    [0, 1],
  ]);
  expect(queued.events.filter(({ type }) => type === "picture")).toHaveLength(6);
});

test("attention has a map of each word", async () => {
  const result = await resultOf(memory.add(requestOf({ kind: "attention", options: quick })));
  expect(result.pictures.map(({ name }) => name)).toEqual(["a", "dog", "lying", "down"]);
});

test("a mask is an uploaded picture, and settings name it by its id", async () => {
  const white = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(255) };
  const mask = await blobs.put(await encodePng(white));
  const options = { steps: 2, sourceMask: mask, targetMask: mask };
  const result = await resultOf(memory.add(requestOf({ kind: "edit", method: "masactrl", options })));
  expect(result.settings).toMatchObject({ sourceMask: mask, targetMask: mask });
  const record = JSON.parse(readRecord((await blobs.get(result.pictures[0].picture.id))!)!);
  expect(record.settings.sourceMask.path).toBe(`${mask}.png`);
});

test.each([
  ["a wrong option", { options: { alpha: 7 } }, "usage"],
  ["an unknown picture", { images: ["nothing"] }, "usage"],
  ["a caption that nobody can make", { source: "auto", method: "masactrl", options: { steps: 2 } }, "usage"],
  ["a photo that is not stored", { photo: "0".repeat(64) }, "not_found"],
])("%s fails once, with advice and no path", async (_, more, code) => {
  const queued = memory.add(requestOf({ kind: "edit", ...more } as JobRequestInput));
  const ending = await queued.ended;
  expect(ending).toMatchObject({ error: { code }, retry: false });
  expect(JSON.stringify(ending)).not.toContain(folder);
  expect(queued.attempts).toBe(1);
});

/** Settings with which the tiny model prepares a photo for some seconds. */
const slow = { steps: 20, iterations: 15, earlyStop: false };
const stepsOf = ({ events }: QueuedJob): number[] =>
  events.flatMap((event) =>
    event.type === "progress" && event.progress.phase !== "edit" ? [event.progress.done] : [],
  );

test("a runner that is killed: the next attempt goes on from the stored steps, with the same bytes", async () => {
  const whole = await localEdit("--steps", "20", "--iterations", "15", "--no-early-stop");
  const queued = memory.add(requestOf({ kind: "edit", options: slow }));
  const saved = await new Promise<number>((resolve) => {
    memory.onSaved = ({ done, total }) => {
      if (done <= 20 || done === total) return;
      memory.onSaved = () => undefined;
      for (const pid of worker.pids) process.kill(pid, "SIGKILL");
      resolve(done);
    };
  });
  const before = queued.events.length;
  const result = await resultOf(queued);
  expect(queued.attempts).toBe(2);
  const later = queued.events.slice(before).flatMap((event) => (event.type === "progress" ? [event.progress] : []));
  // The photo is inverted in 20 steps, then the embedding is tuned in 20.
  expect(later.map(({ phase }) => phase)).not.toContain("invert");
  expect(later.find(({ phase }) => phase === "tune")!.done).toBeGreaterThan(saved - 20);
  expect((await pictureOf(result.pictures[0].picture.id)).data).toEqual(whole.data);
  expect(log.filter((event) => event.type === "failed" && event.isRetried)).toMatchObject([
    { error: { code: "engine" } },
  ]);
});

test("a cancelled job ends within a second, and the worker takes the next one", async () => {
  const queued = memory.add(requestOf({ kind: "edit", options: { ...slow, guidance: 3 } }));
  while (stepsOf(queued).length === 0) await sleep(20);
  const next = memory.add(requestOf({ kind: "edit", options: quick }));
  const began = performance.now();
  queued.stop("cancelled");
  while (!log.some((event) => event.type === "cancelled")) await sleep(5);
  expect(performance.now() - began).toBeLessThan(1000);
  await resultOf(next);
});

test("a worker that stops returns its job with its steps, and leaves no process and no file", async () => {
  const own = new WorkerQueue();
  const stop = new AbortController();
  const other = start(own, stop.signal);
  const queued = own.add(requestOf({ kind: "edit", options: { ...slow, guidance: 4 } }));
  while (stepsOf(queued).length < 3) await sleep(20);
  const { pids } = other;
  const began = performance.now();
  stop.abort();
  expect(await queued.ended).toBe("released");
  await other.stopped;
  expect(performance.now() - began).toBeLessThan(2000);
  expect([...own.preparations.values()]).toMatchObject([{ method: "baret", model: "tiny", photo, target }]);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  expect(readdirSync(jobs, { recursive: true })).toEqual([]);
});
