import { computed, effect, signal } from "@preact/signals";
import type { Job, JobId } from "../../../src/server/api/index.ts";
import type { BackendError } from "../backend.ts";
import { asBackendError, backend, cancelled, capabilities, finished, models } from "../state/index.ts";
import { deleted, onDeleted } from "./deletion.ts";
import { type Filter, hasWords, passes } from "./filter.ts";

/** Jobs that one request lists. */
const PAGE = 48;
/** Milliseconds after the last letter of a search. */
const TYPING = 250;

/** Words that prompts must contain. */
export const search = signal("");
export const filter = signal<Filter>({});

/** Finished jobs that the backend has listed for the search, newest first. */
const listed = signal<readonly Job[]>([]);
/** False once the backend has listed the oldest one. */
export const hasOlder = signal(false);
export const isLoading = signal(false);
export const loadError = signal<BackendError | undefined>(undefined);

/** The jobs that the history shows, newest first: those listed, and those that have ended since. Deleted ones are not among them. */
export const found = computed<readonly Job[]>(() => {
  const all = new Map(listed.value.map((job) => [job.id, job]));
  const oldest = hasOlder.value ? listed.value[listed.value.length - 1]?.created : "";
  for (const job of [...finished.value, ...cancelled.value]) {
    if (job.created >= oldest && hasWords(job, search.value)) all.set(job.id, job);
  }
  const usual = models.value[0]?.name;
  return [...all.values()]
    .filter((job) => !deleted.value.includes(job.id) && passes(job, filter.value, usual))
    .sort((a, b) => b.created.localeCompare(a.created));
});

const listPage = (words: string, before: JobId | undefined): Promise<readonly Job[]> =>
  backend().jobs({
    states: ["done", "cancelled"],
    limit: PAGE,
    ...(words.trim() && { search: words.trim() }),
    ...(before && { before }),
  });

/** Number of the newest request: answers to older ones come too late. */
let newest = 0;

async function load(words: string, known: readonly Job[]): Promise<void> {
  const own = ++newest;
  isLoading.value = true;
  try {
    const page = await listPage(words, known[known.length - 1]?.id);
    if (own !== newest) return;
    [listed.value, hasOlder.value, loadError.value] = [[...known, ...page], page.length === PAGE, undefined];
  } catch (error) {
    if (own === newest) loadError.value = asBackendError(error);
  }
  if (own === newest) isLoading.value = false;
}

/** Lists jobs that are older than those shown. */
export const loadOlder = (): Promise<void> => load(search.value, listed.value);

const isReady = computed(() => capabilities.value?.ready === true);

/** Lists the history as soon as the backend is ready, and again after each change of the search. */
export const keepFound = (): (() => void) =>
  effect(() => {
    const words = search.value;
    if (!isReady.value) return undefined;
    const timer = setTimeout(() => load(words, []), words ? TYPING : 0);
    return () => clearTimeout(timer);
  });

/** Takes a job off the list. */
const drop = (id: JobId): void => {
  listed.value = listed.value.filter((job) => job.id !== id);
};

/** Takes jobs off the list as soon as they are deleted for good. Returns a function that stops it. */
export const keepDropped = (): (() => void) => onDeleted(drop);

/** Yields every job that the history would show if all pages were loaded. */
export async function* everyFound(): AsyncGenerator<Job> {
  yield* found.value;
  const [words, wanted, usual] = [search.value, filter.value, models.value[0]?.name];
  let before = hasOlder.value ? listed.value[listed.value.length - 1]?.id : undefined;
  while (before) {
    const page = await listPage(words, before);
    yield* page.filter((job) => passes(job, wanted, usual));
    before = page.length === PAGE ? page[page.length - 1].id : undefined;
  }
}
