import { computed, effect, signal } from "@preact/signals";
import type { JobId } from "../../../src/server/api/index.ts";
import { hasEnded } from "../../../src/server/api/states.ts";
import type { BackendError } from "../backend.ts";
import { asBackendError, backend, connection } from "./backend.ts";
import { capabilities } from "./capabilities.ts";
import { askForJobs, forget, queue, selectedJob, showEvent } from "./jobs.ts";

/** Milliseconds between two lists of the queue: while jobs wait or run, and otherwise. */
const [busyPause, idlePause] = [2000, 10_000];
const longestPause = 15_000;
/** Jobs of the history that the page loads at first. */
const firstJobs = 60;

/** Why the last attempt to reach the backend failed. Undefined if it did not. */
export const lastFailure = signal<BackendError | undefined>(undefined);

let wake = (): void => undefined;
/** Lists the queue at once, instead of after the pause. */
export const syncNow = (): void => wake();

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });

/** Takes over the queue, and jobs that have ended since they were last heard of. */
async function listQueue(isFirst: boolean): Promise<void> {
  const listed = await askForJobs((backend) =>
    backend.jobs(isFirst ? { limit: firstJobs } : { states: ["queued", "running"] }),
  );
  const present = new Set(listed.map(({ id }) => id));
  for (const { id } of queue.value.filter((job) => !present.has(job.id))) await refresh(id);
}

/** Asks for one job. Forgets it if the backend has. */
async function refresh(id: JobId): Promise<void> {
  try {
    await askForJobs((backend) => backend.job(id));
  } catch (error) {
    if (asBackendError(error).code !== "not_found") throw error;
    forget(id);
  }
}

/** Keeps capabilities and jobs as the backend has them, for ever. */
export async function keepInSync(): Promise<never> {
  let [isFirst, failures] = [true, 0];
  for (;;) {
    try {
      if (!capabilities.value?.ready) capabilities.value = await backend().capabilities();
      if (capabilities.value.ready) {
        await listQueue(isFirst);
        isFirst = false;
      }
      [failures, connection.value, lastFailure.value] = [0, "open", undefined];
      const isBusy = !capabilities.value.ready || queue.value.length > 0;
      await pause(isBusy ? busyPause : idlePause);
    } catch (error) {
      const failure = asBackendError(error);
      const { retryAfter } = failure;
      const wait = retryAfter ? 1000 * retryAfter : Math.min(500 * 2 ** failures, longestPause);
      [failures, connection.value, lastFailure.value] = [failures + 1, "lost", failure];
      await pause(wait);
      // After a restart of the server, everything is read anew.
      isFirst = true;
    }
  }
}

/**
 * The job whose events are followed: the one on the stage, or else the one that runs. Only one, since a browser allows six
 * connections to a server over all of its tabs.
 */
const followedId = computed<JobId | undefined>(() => {
  const shown = selectedJob.value;
  if (shown && !hasEnded(shown.state)) return shown.id;
  return queue.value.find(({ state }) => state === "running")?.id;
});

/** Follows one job's events. Returns a function that stops it. */
export const keepFollowing = (): (() => void) =>
  effect(() => {
    const id = followedId.value;
    if (!id) return undefined;
    const stop = new AbortController();
    // The list of the queue tells if the connection is lost.
    backend()
      .follow(id, (event) => showEvent(id, event), stop.signal)
      .catch(syncNow);
    return () => stop.abort();
  });
