import { computed, effect, signal } from "@preact/signals";
import type { JobId } from "../../../src/server/api/index.ts";
import { asBackendError, askForJobs, capabilities, jobs, selectedId, selectJob } from "../state/index.ts";

/** Returns the job in the fragment of an address: "#job/ID". */
export const jobInAddress = (fragment: string): JobId | undefined => /^#job\/([0-9a-f]{32})$/.exec(fragment)?.[1];

/** Fragment of the address of a job's result. */
export const addressOf = (id: JobId): string => `#job/${id}`;

/** Why the job in the address cannot be shown. */
export const missingJob = signal<string | undefined>(undefined);

const isReady = computed(() => capabilities.value?.ready === true);

/** Shows the job that the page's address names, also one that was not listed yet. */
async function showAddressed(): Promise<void> {
  const id = jobInAddress(location.hash);
  missingJob.value = undefined;
  selectJob(id);
  if (!id || !isReady.value || jobs.value.has(id)) return;
  try {
    await askForJobs((backend) => backend.job(id));
  } catch (error) {
    const { code, message } = asBackendError(error);
    missingJob.value = code === "not_found" ? "There is no result at this address. It may have been deleted." : message;
  }
}

/** Scrolls to the stage if its top is out of sight: the history, where results are opened, is below it. */
function bringIntoSight(): void {
  const stage = document.querySelector(".stage");
  const top = stage?.getBoundingClientRect().top ?? 0;
  if (top < 0 || top > window.innerHeight / 2) stage?.scrollIntoView();
}

/** Keeps the page's address and the job on the stage together. */
export function keepAddress(): void {
  window.addEventListener("hashchange", () => {
    void showAddressed();
    // When the page has the new job on its stage.
    if (jobInAddress(location.hash)) requestAnimationFrame(bringIntoSight);
  });
  void showAddressed();
  // A backend that is starting knows no jobs yet.
  isReady.subscribe((ready) => {
    if (ready) void showAddressed();
  });
  effect(() => {
    const id = selectedId.value;
    if (id === jobInAddress(location.hash)) return;
    // A fragment alone leaves the page as it is.
    history.pushState(null, "", id ? addressOf(id) : `${location.pathname}${location.search}`);
    missingJob.value = undefined;
  });
}
