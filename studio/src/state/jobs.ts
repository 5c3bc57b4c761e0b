import { computed, signal } from "@preact/signals";
import type { Job, JobEvent, JobId, JobRequestInput } from "../../../src/server/api/index.ts";
import { hasEnded } from "../../../src/server/api/states.ts";
import type { Backend } from "../backend.ts";
import { backend, onceReady } from "./backend.ts";
import { afterEvent, afterListing, type ShownJob } from "./jobEvents.ts";

export type { ShownJob } from "./jobEvents.ts";

/** All jobs that the studio has heard of. */
export const jobs = signal<ReadonlyMap<JobId, ShownJob>>(new Map());

/** Id of the job on the stage. Undefined: the stage shows the photo. */
export const selectedId = signal<JobId | undefined>(undefined);
export const selectedJob = computed(() => (selectedId.value ? jobs.value.get(selectedId.value) : undefined));

const byAge = (a: Job, b: Job): number => a.created.localeCompare(b.created);

/** Jobs that have not ended: running ones first, then in the order in which they will run. */
export const queue = computed<readonly ShownJob[]>(() =>
  [...jobs.value.values()]
    .filter(({ state }) => !hasEnded(state))
    .sort((a, b) => Number(b.state === "running") - Number(a.state === "running") || byAge(a, b)),
);

/** Jobs that are done, newest first. */
export const finished = computed<readonly ShownJob[]>(() =>
  [...jobs.value.values()].filter(({ state }) => state === "done").sort((a, b) => byAge(b, a)),
);

/** Jobs that were cancelled, newest first. */
export const cancelled = computed<readonly ShownJob[]>(() =>
  [...jobs.value.values()].filter(({ state }) => state === "cancelled").sort((a, b) => byAge(b, a)),
);

/** Jobs that failed, newest first. */
export const failed = computed<readonly ShownJob[]>(() =>
  [...jobs.value.values()].filter(({ state }) => state === "failed").sort((a, b) => byAge(b, a)),
);

/**
 * Asks the backend for jobs, and takes over its answer. Of a job that changed meanwhile, only its end is newer than what is
 * known. A job that was removed meanwhile stays removed.
 */
export async function askForJobs<T extends Job | readonly Job[]>(
  question: (backend: Backend) => Promise<T>,
): Promise<T> {
  const before = jobs.value;
  const answer = await question(backend());
  const next = new Map(jobs.value);
  for (const job of [answer].flat() as Job[]) {
    const known = next.get(job.id);
    if (known === before.get(job.id) || (known && hasEnded(job.state))) next.set(job.id, afterListing(known, job));
  }
  jobs.value = next;
  return answer;
}

/** Forgets a job. */
export function forget(id: JobId): void {
  const next = new Map(jobs.value);
  next.delete(id);
  jobs.value = next;
  if (selectedId.value === id) selectedId.value = undefined;
}

/** Takes over an event of a job. */
export function showEvent(id: JobId, event: JobEvent): void {
  const job = jobs.value.get(id);
  if (job) jobs.value = new Map(jobs.value).set(id, afterEvent(job, event));
}

/** Shows a job on the stage. The page's address names it. */
export function selectJob(id: JobId | undefined): void {
  selectedId.value = id;
}

/** Queues a job and shows it. */
export const submit = (request: JobRequestInput): Promise<Job> =>
  onceReady(() => askForJobs((backend) => backend.submit(request)));

/** Cancels a job. */
export async function cancelJob(id: JobId): Promise<void> {
  await askForJobs((backend) => backend.cancel(id));
}

/** Cancels all jobs of this client. */
export async function cancelAll(): Promise<void> {
  const ids = queue.value.map(({ id }) => id);
  await backend().cancelAll();
  for (const id of ids) await askForJobs((backend) => backend.job(id));
}

/** Removes a job that has ended. */
export async function removeJob(id: JobId): Promise<void> {
  await backend().remove([id]);
  forget(id);
}
