import { describe, expect, test } from "vitest";
import { editRequest, type Job, type JobEvent, jobStates } from "../../src/server/api/index.ts";
import type { Backend } from "../../studio/src/backend.ts";
import { phaseOf, shareDone, timeLeft } from "../../studio/src/stage/phases.ts";
import { setBackend } from "../../studio/src/state/backend.ts";
import { afterEvent, afterListing, type ShownJob } from "../../studio/src/state/jobEvents.ts";
import { askForJobs, forget, jobs, showEvent } from "../../studio/src/state/jobs.ts";

const request = editRequest.parse({ kind: "edit", photo: "0".repeat(64), target: "a dog" });
const queued: Job = { id: "0".repeat(32), request, state: "queued", created: "2026-11-28T05:00:00Z", attempts: 0 };
const picture = { id: "1".repeat(64), width: 128, height: 128 };

const events: readonly JobEvent[] = [
  { type: "state", seq: 1, state: "running", attempts: 1 },
  { type: "estimate", seq: 2, seconds: [10, 20], memory: 1e9 },
  { type: "prepared", seq: 3, quality: {}, reused: true },
  { type: "picture", seq: 4, made: { name: "keep 1", picture } },
  { type: "progress", progress: { phase: "edit", done: 5, total: 50, secondsLeft: 3.4 } },
  { type: "preview", preview: "data:image/webp;base64,AAAA" },
];
const told = (job: ShownJob, heard: readonly JobEvent[]): ShownJob => heard.reduce(afterEvent, job);
const failed: JobEvent = {
  type: "state",
  seq: 5,
  state: "failed",
  attempts: 1,
  error: { code: "x", message: "Broken." },
};

describe("a job and its events", () => {
  test("events tell what a job shows", () => {
    expect(told(queued, events)).toMatchObject({
      state: "running",
      estimate: [10, 20],
      prepared: { reused: true },
      made: [{ name: "keep 1" }],
      progress: { done: 5 },
      preview: "data:image/webp;base64,AAAA",
    });
  });

  test("hearing all events again changes nothing", () => {
    const once = told(queued, events);
    expect(told(once, events)).toEqual(once);
  });

  test("late events do not wake a job that has ended", () => {
    const ended = told(queued, [...events, failed]);
    expect(ended).toMatchObject({ state: "failed", error: { message: "Broken." } });
    expect(ended.progress).toBeUndefined();
    expect(ended.preview).toBeUndefined();
    expect(told(ended, events).state).toBe("failed");
    expect(told(ended, events).progress).toBeUndefined();
  });

  test("a list that is older than the end does not wake the job", () => {
    const ended = told(queued, [...events, failed]);
    expect(afterListing(ended, { ...queued, state: "running" })).toEqual(ended);
  });

  test("a list replaces what it tells and keeps the rest", () => {
    const listed: Job = { ...queued, state: "running", attempts: 2 };
    expect(afterListing(told(queued, events), listed)).toMatchObject({ attempts: 2, prepared: { reused: true } });
  });
});

describe("a list that is read while events come", () => {
  /** Lists the job as it was, after these events were heard. */
  async function listLate(heard: readonly JobEvent[], listed: Job): Promise<ShownJob | undefined> {
    jobs.value = new Map([[queued.id, queued]]);
    await askForJobs(async () => {
      for (const event of heard) showEvent(queued.id, event);
      return [listed];
    });
    return jobs.value.get(queued.id);
  }
  setBackend({} as Backend);

  test("does not undo them", async () => {
    expect(await listLate(events, queued)).toEqual(told(queued, events));
  });

  test("tells the end of a job", async () => {
    expect(await listLate(events, { ...queued, state: "cancelled" })).toMatchObject({ state: "cancelled" });
  });

  test("counts if no event came", async () => {
    expect(await listLate([], { ...queued, state: "running", attempts: 1 })).toMatchObject({ state: "running" });
  });

  test.each(["queued", "done"] as const)("does not bring back a %s job that was removed meanwhile", async (state) => {
    const job = { ...queued, state };
    jobs.value = new Map([[job.id, job]]);
    await askForJobs(async () => {
      forget(job.id);
      return [job];
    });
    expect(jobs.value.size).toBe(0);
  });
});

describe("in plain words", () => {
  test("what a job does", () => {
    expect(phaseOf({ ...queued, position: 0 })).toBe("Waiting: next");
    expect(phaseOf({ ...queued, position: 2 })).toBe("Waiting: 2 jobs before it");
    expect(phaseOf(told(queued, events.slice(0, 1)))).toBe("Starting");
    expect(phaseOf(told(queued, events))).toBe("Editing");
    const unknown = { ...told(queued, events), progress: { phase: "weigh", done: 0, total: 0 } };
    expect(phaseOf(unknown)).toBe("Weigh");
    expect(shareDone(unknown)).toBeUndefined();
    const at = (phase: string, done: number) => ({
      ...queued,
      state: "running" as const,
      progress: { phase, done, total: 20 },
    });
    expect([phaseOf(at("tune", 10)), shareDone(at("tune", 10))]).toEqual(["Tuning the prompt to the photo", 0.5]);
    expect([phaseOf(at("read weights", 5)), shareDone(at("read weights", 5))]).toEqual(["Reading the model", 0.25]);
    expect(phaseOf(at("download", 5))).toBe("Downloading the model");
    // Between two phases nothing is heard for a while.
    expect([phaseOf(at("tune", 20)), shareDone(at("tune", 20))]).toEqual(["Preparing the next step", undefined]);
    expect([phaseOf(at("edit", 20)), shareDone(at("edit", 20))]).toEqual(["Finishing the picture", undefined]);
  });

  test("the time that is left", () => {
    expect(timeLeft(told(queued, events))).toBe("about 3 s left in this phase");
    expect(timeLeft(told(queued, events.slice(0, 2)))).toBe("10 s to 20 s in all");
    expect(timeLeft(queued)).toBe("");
  });

  test.each(jobStates)("a job that is %s has words", (state) => {
    expect(phaseOf({ ...queued, state })).toMatch(/\w/);
  });
});
