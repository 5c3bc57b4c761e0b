import { randomBytes } from "node:crypto";
import type { JobEvent, JobRequest, JobResult } from "../../src/server/api/index.ts";
import { editRequest } from "../../src/server/api/index.ts";
import type { JobQueue, NewJob, StoredPreparation } from "../../src/server/queue.ts";

export const randomHex = (bytes = 32): string => randomBytes(bytes).toString("hex");

/** Returns a request for an edit of some photo. */
export const someRequest = (given: Partial<JobRequest> = {}): JobRequest =>
  editRequest.parse({ kind: "edit", photo: "a".repeat(64), target: "a dog lying down", ...given });

/** Returns a job that no other test has. */
export function someJob({
  request,
  ...given
}: Partial<Omit<NewJob, "request">> & { request?: Partial<JobRequest> } = {}): NewJob {
  return { request: someRequest(request), key: randomHex(), model: randomHex(), client: "ann", ...given };
}

/** Steps of a preparation that no other test has. */
export const somePreparation = (): StoredPreparation => ({
  key: randomHex(),
  method: "baret",
  model: "menagerie",
  photo: "b".repeat(64),
  target: "a dog",
  done: 10,
  total: 50,
  updated: new Date().toISOString(),
  blob: randomHex(),
});

export const someResult = (given: Partial<JobResult> = {}): JobResult => ({
  pictures: [],
  settings: {},
  reusedPreparation: false,
  warnings: [],
  seconds: 1,
  ...given,
});

/** Takes the next job of a model, which must be there. */
export async function takeNow(
  queue: JobQueue,
  model: string,
  worker = "worker",
): Promise<NonNullable<Awaited<ReturnType<JobQueue["take"]>>>> {
  const lease = await queue.take([model], worker, AbortSignal.timeout(20_000));
  if (!lease) throw new Error("no job was there to take");
  return lease;
}

/** Returns all events of a job that has ended or will end. */
export async function allEvents(queue: JobQueue, id: string, after = 0): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const event of queue.events(id, { after, signal: AbortSignal.timeout(20_000) })) events.push(event);
  return events;
}
