import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BaretError, joinSignals } from "../../../core/index.ts";
import type { BlobId, Job, JobError } from "../../api/index.ts";
import type { BlobStore } from "../../blobs.ts";
import { NotFoundError } from "../../errors.ts";
import { jobErrorOf, mayRetry } from "../../jobError.ts";
import { picturesOf } from "../../pictureOptions.ts";
import type { JobQueue, WorkerLease } from "../../queue.ts";
import { Reports } from "../../runner/index.ts";
import { type RunnerModel, Runners, type RunnersOptions } from "../runner/index.ts";
import { insist } from "./insist.ts";
import { makeJobFolder, removeAbandonedJobs } from "./jobFolder.ts";
import { Steps } from "./steps.ts";

/** An event in the work of a worker, for a log. */
export type WorkerEvent =
  | { readonly type: "began"; readonly job: Job; readonly attempt: number }
  | { readonly type: "done"; readonly job: Job; readonly seconds: number }
  | { readonly type: "failed"; readonly job: Job; readonly error: JobError; readonly isRetried: boolean }
  /** The job was cancelled, is another worker's now, or went back to the queue because this worker stops. */
  | { readonly type: "cancelled" | "lost" | "returned"; readonly job: Job }
  /** Something failed that the worker can live with, or does again later. */
  | { readonly type: "trouble"; readonly error: unknown };

export interface WorkerOptions extends RunnersOptions {
  readonly queue: JobQueue;
  readonly blobs: BlobStore;
  /** Models that it can load. */
  readonly models: readonly RunnerModel[];
  /** Its name in the queue. */
  readonly name: string;
  /** Aborts to stop it: its jobs go back to the queue. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: WorkerEvent) => void;
  /** Shortest time between two uploads of unfinished steps, in milliseconds. Default 5000. */
  readonly stepsEveryMs?: number;
}

export interface Worker {
  /** Process ids of its runners. */
  readonly pids: readonly number[];
  /** Resolves when it has stopped and its runners have ended. */
  readonly stopped: Promise<void>;
}

/** Time for the last steps of a job to be stored when the worker stops. */
const LAST_STEPS_MS = 3000;
/** Pause after the queue has failed. */
const PAUSE_MS = 1000;

/**
 * Takes jobs and runs them in processes of their own, one for each model, until `signal` aborts. Results are stored first, then
 * the job is completed. If this worker dies, another one goes on from the steps that this one has stored.
 */
export function startWorker(options: WorkerOptions): Worker {
  const runners = new Runners(options);
  const work = async (): Promise<void> => {
    await removeAbandonedJobs();
    await Promise.all(options.models.map((model) => takeJobs(model, runners, options)));
  };
  return {
    get pids() {
      return runners.pids;
    },
    stopped: work().finally(() => runners.close()),
  };
}

/** Runs jobs of one model, one after the other. */
async function takeJobs(model: RunnerModel, runners: Runners, options: WorkerOptions): Promise<void> {
  const { queue, name, signal, onEvent } = options;
  while (!signal.aborted) {
    try {
      const lease = await queue.take([model.sha256], name, signal);
      if (lease) await runLease(lease, model, runners, options);
    } catch (error) {
      onEvent?.({ type: "trouble", error });
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Runs a job and tells the queue how it ended. */
async function runLease(
  lease: WorkerLease,
  model: RunnerModel,
  runners: Runners,
  options: WorkerOptions,
): Promise<void> {
  const { signal, onEvent } = options;
  const { job } = lease;
  const { signal: stop, release } = joinSignals(signal, lease.signal);
  const began = performance.now();
  onEvent?.({ type: "began", job, attempt: lease.attempt });
  const fail = async (error: JobError, isRetried: boolean): Promise<void> => {
    await insist(() => lease.fail(error, { retry: isRetried }), stop);
    onEvent?.({ type: "failed", job, error, isRetried });
  };
  const folder = await makeJobFolder();
  try {
    const error = await runIn(folder, lease, model, runners, options, stop);
    if (error === "lost") onEvent?.({ type: "lost", job });
    else if (error) await fail(error, mayRetry(error));
    else onEvent?.({ type: "done", job, seconds: (performance.now() - began) / 1000 });
  } catch (error) {
    if (lease.signal.aborted) {
      onEvent?.({ type: lease.signal.reason === "cancelled" ? "cancelled" : "lost", job });
    } else if (signal.aborted) {
      await lease.release();
      onEvent?.({ type: "returned", job });
    } else {
      // The job's own errors are not thrown. This one is of the queue, the blobs or this disk.
      const known = jobErrorOf(error, folder);
      await fail(known, !(error instanceof BaretError) || mayRetry(known));
    }
  } finally {
    release();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Runs a job in its folder, and completes it. Returns the error of a job that failed, or "lost" if the job is another worker's by
 * now. Throws CancelledError if the job or the worker was stopped, and errors of the queue and the blobs.
 */
async function runIn(
  folder: string,
  lease: WorkerLease,
  model: RunnerModel,
  runners: Runners,
  { queue, blobs, signal, onEvent, stepsEveryMs = 5000 }: WorkerOptions,
  stop: AbortSignal,
): Promise<JobError | "lost" | undefined> {
  const { request } = lease.job;
  const onTrouble = (error: unknown): void => onEvent?.({ type: "trouble", error });
  const pictures = await fetchPictures(picturesOf(request), blobs, folder, stop);
  const of = { queue, lease, blobs, folder, model: model.name, photo: request.photo, everyMs: stepsEveryMs, onTrouble };
  const steps = new Steps(of);
  const reports = new Reports(lease, {
    store: (file) => insist(() => blobs.putFile(join(folder, file)), lease.signal),
    report: (event) => insist(() => lease.report(event), lease.signal),
    onTrouble,
  });
  const watch = {
    onEvent: (event: Parameters<Reports["add"]>[0]) => reports.add(event),
    onNeed: (needed: Parameters<Steps["fetch"]>[0]) => steps.fetch(needed),
    signal: stop,
  };
  const outcome = await runners
    .run(model, { request, pictures, folder, stepsEveryMs: stepsEveryMs / 5 }, watch)
    .finally(async () => {
      const stored = steps.close();
      await (signal.aborted ? Promise.race([stored, sleep(LAST_STEPS_MS, undefined, { ref: false })]) : stored);
    });
  await reports.end();
  if (outcome.kind === "failed") return outcome.error;
  const result = await reports.resultOf(outcome.result);
  const isMine = await insist(() => lease.complete(result), lease.signal);
  return isMine ? undefined : "lost";
}

/** Puts the pictures of a job into its folder. Throws NotFoundError if one is not stored any more. */
async function fetchPictures(
  ids: readonly BlobId[],
  blobs: BlobStore,
  folder: string,
  signal: AbortSignal,
): Promise<Record<BlobId, string>> {
  const paths: Record<BlobId, string> = {};
  for (const id of ids) {
    paths[id] = join(folder, `${id}.png`);
    const isThere = await insist(() => blobs.getFile(id, paths[id]), signal);
    if (isThere) continue;
    throw new NotFoundError("this picture is not stored any more", { found: id, advice: "Add the picture again." });
  }
  return paths;
}
