import { ImageError } from "../../../core/index.ts";
import type { EditRequest, Job, JobId, PictureRef } from "../../api/index.ts";
import type { Service } from "../../service.ts";
import { renamed, requireDone } from "./errors.ts";
import { followJob } from "./followJob.ts";
import type { Interest, Interests } from "./interests.ts";

/** A job that a request waits for. */
export interface Waiting {
  readonly id: JobId;
  readonly interest: Interest;
}

/**
 * Queues the edits of one request of a client. If one is refused, the others are taken back. nameOf: what a field of the server's
 * own request is called in this API. Throws as Service.submit, with these names.
 */
export async function submitEdits(
  service: Pick<Service, "submit">,
  interests: Interests,
  edits: readonly EditRequest[],
  client: string,
  nameOf: (field: string) => string,
): Promise<Waiting[]> {
  const waiting: Waiting[] = [];
  try {
    for (const edit of edits) {
      const { job } = await service.submit(edit, client, { waits: true });
      waiting.push({ id: job.id, interest: interests.add(job.id, client) });
    }
  } catch (error) {
    for (const { interest } of waiting) interest.leave(false);
    throw renamed(error, nameOf);
  }
  return waiting;
}

/** Waits until all edits are done, and returns what `answer` makes of them. If one fails, or `answer` does, the others are left. */
export async function whenDone<T>(
  service: Pick<Service, "events" | "job">,
  waiting: readonly Waiting[],
  signal: AbortSignal,
  answer: (jobs: readonly Job[]) => Promise<T>,
): Promise<T> {
  try {
    const jobs = await Promise.all(waiting.map(({ id }) => followJob(service, id, signal)));
    for (const job of jobs) requireDone(job);
    const answered = await answer(jobs);
    for (const { interest } of waiting) interest.end();
    return answered;
  } catch (error) {
    for (const { interest } of waiting) interest.leave(signal.aborted);
    throw error;
  }
}

/** Returns the picture of a finished edit. */
export function pictureOfEdit({ id, result }: Job): PictureRef {
  const made = result?.pictures.find(({ name }) => name === "edit");
  if (!made) throw new ImageError("the edit has no picture", { where: `job ${id}` });
  return made.picture;
}
