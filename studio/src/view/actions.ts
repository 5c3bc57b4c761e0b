import { signal } from "@preact/signals";
import type { EditRequest, JobId, JobRequest, JobRequestInput } from "../../../src/server/api/index.ts";
import type { BackendError } from "../backend.ts";
import { asBackendError, backend, fillForm, say, selectJob, showStoredPhoto, submit } from "../state/index.ts";

/** The last action on a result that did not succeed, with its job. */
export const failedAction = signal<{ readonly job: JobId; readonly error: BackendError } | undefined>(undefined);

/** Queues a job that another one's result has led to, and shows it. */
export async function start(from: JobId, request: JobRequestInput): Promise<void> {
  failedAction.value = undefined;
  try {
    const job = await submit(request);
    selectJob(job.id);
    say(`Queued: ${job.request.target}`);
  } catch (error) {
    failedAction.value = { job: from, error: asBackendError(error) };
  }
}

/** Fills the form with the settings of an edit, and takes its photo. */
export async function useSettings(from: JobId, request: EditRequest): Promise<void> {
  failedAction.value = undefined;
  try {
    await takePhoto(request);
    fillForm(request);
    say("The form has these settings.");
  } catch (error) {
    failedAction.value = { job: from, error: asBackendError(error) };
  }
}

async function takePhoto({ photo: id }: JobRequest): Promise<void> {
  const image = new Image();
  image.src = await backend().pictureUrl(id);
  await image.decode();
  const { naturalWidth: width, naturalHeight: height } = image;
  showStoredPhoto({ id, width, height, warnings: [] }, "photo.png", image.src);
}

/** Copies text, and says so to a screen reader. */
export async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  say("Copied.");
}
