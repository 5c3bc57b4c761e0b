import { signal } from "@preact/signals";
import type { JobRequestInput } from "../../../src/server/api/index.ts";
import { asBackendError } from "./backend.ts";
import { commonFields, editRequest, target } from "./form.ts";
import { selectJob, submit } from "./jobs.ts";
import { photos, photosReady } from "./photos.ts";
import { say } from "./say.ts";
import { syncNow } from "./sync.ts";

/** A problem of a field of the form. field: as requests name it ("options.alpha"), or undefined if it is of no field. */
export interface Problem {
  readonly field?: string;
  readonly message: string;
  readonly advice?: string;
}

/** Problems of the last attempt to run. */
export const problems = signal<readonly Problem[]>([]);
/** True while requests are on their way. */
export const isSending = signal(false);

/** Returns the problem of a field. */
export const problemOf = (field: string): Problem | undefined =>
  problems.value.find((problem) => problem.field === field);

/** Forgets the problem of a field, since it was changed. */
export const fieldChanged = (field: string): void => {
  if (problemOf(field)) problems.value = problems.value.filter((problem) => problem.field !== field);
};

/** Shows a problem of a field in place of the one before. */
export const showProblem = (problem: Problem & { readonly field: string }): void => {
  problems.value = [...problems.value.filter(({ field }) => field !== problem.field), problem];
};

/** Lists what is missing before anything is sent. */
function missing(): Problem[] {
  return [
    ...(photos.value.length === 0 ? [{ field: "photo", message: "Choose a photo first." }] : []),
    ...(target.value.trim() === "" ? [{ field: "target", message: "Say what the photo should show." }] : []),
  ];
}

/** Sends one request for each photo and shows the first job. */
async function runFor(requestFor: (photo: string) => JobRequestInput): Promise<void> {
  if (isSending.value) return;
  problems.value = missing();
  if (problems.value.length > 0) return;
  isSending.value = true;
  try {
    await photosReady();
    const stored = photos.value.flatMap((photo) => photo.stored ?? []);
    const failed = photos.value.find(({ error }) => error);
    if (failed?.error) throw failed.error;
    for (const [at, { id }] of stored.entries()) {
      const job = await submit(requestFor(id));
      if (at === 0) selectJob(job.id);
    }
    say(stored.length === 1 ? "Started" : `Started ${stored.length} jobs`);
  } catch (error) {
    problems.value = problemsIn(error);
  } finally {
    isSending.value = false;
    syncNow();
  }
}

/** Sends a request that is already whole, and shows its job. */
export async function runAgain(request: JobRequestInput): Promise<void> {
  try {
    const job = await submit(request);
    selectJob(job.id);
    problems.value = [];
  } catch (error) {
    problems.value = problemsIn(error);
  } finally {
    syncNow();
  }
}

/** Returns the problems that an error tells. */
function problemsIn(error: unknown): Problem[] {
  const { where, message, advice, retryAfter, problems: fields } = asBackendError(error);
  if (fields.length > 0) return [...fields];
  const later = retryAfter ? `Try again in ${retryAfter} s.` : undefined;
  return [{ field: where, message, advice: advice ?? later }];
}

/** Edits the photos as the form says. */
export const runEdit = (): Promise<void> => runFor(editRequest);

/** Edits the photos with all methods that need nothing more. */
export const runComparison = (): Promise<void> =>
  runFor((photo) => ({ kind: "compare", ...commonFields(photo), priority: "batch" }));
