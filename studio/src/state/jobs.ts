import { computed, signal } from "@preact/signals";
import type { Job, JobEvent, JobId, JobRequestInput } from "../../../src/server/api/index.ts";
import { hasEnded } from "../../../src/server/api/states.ts";
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

/** Takes over jobs as the backend lists them. */
export function showListed(listed: readonly Job[]): void {
  const next = new Map(jobs.value);
  for (const job of listed) next.set(job.id, afterListing(next.get(job.id), job));
  jobs.value = next;
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
export async function submit(request: JobRequestInput): Promise<Job> {
  const job = await onceReady(() => backend().submit(request));
  showListed([job]);
  return job;
}

/** Cancels a job. */
export async function cancelJob(id: JobId): Promise<void> {
  showListed([await backend().cancel(id)]);
}

/** Cancels all jobs of this client. */
export async function cancelAll(): Promise<void> {
  const ids = queue.value.map(({ id }) => id);
  await backend().cancelAll();
  for (const id of ids) showListed([await backend().job(id)]);
}

/** Removes a job that has ended. */
export async function removeJob(id: JobId): Promise<void> {
  await backend().remove([id]);
  forget(id);
}
