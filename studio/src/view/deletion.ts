import { signal } from "@preact/signals";
import type { JobId } from "../../../src/server/api/index.ts";
import type { BackendError } from "../backend.ts";
import { asBackendError, backend, forget, say, selectedId, selectJob } from "../state/index.ts";
import { counted } from "./words.ts";

/** Time for undoing a deletion, in milliseconds. It stands still while the person is at the button. */
const UNDO_MS = 8000;

/** Jobs that are deleted for the person, and can come back: the backend still has them. */
export const deleted = signal<readonly JobId[]>([]);
/** Why the last deletion did not succeed. Its jobs are shown again. */
export const deletionError = signal<BackendError | undefined>(undefined);

let timer: ReturnType<typeof setTimeout> | undefined;
/** The job on the stage, if it was deleted. */
let shown: JobId | undefined;
const listeners = new Set<(id: JobId) => void>();

/** Calls a function with each job that the backend has deleted. Returns a function that stops it. */
export function onDeleted(listener: (id: JobId) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Hides jobs, and deletes them after some seconds unless that is undone. Those of an earlier call are deleted now. */
export function deleteLater(ids: readonly JobId[]): void {
  if (ids.length === 0) return;
  void deleteNow();
  deletionError.value = undefined;
  deleted.value = ids;
  shown = selectedId.value && ids.includes(selectedId.value) ? selectedId.value : undefined;
  if (shown) selectJob(undefined);
  say(`Deleted: ${counted(ids.length, "result")}. Press Ctrl+Z to undo.`);
  resumeDeletion();
}

/** Shows the hidden jobs again. */
export function undoDeletion(): void {
  if (deleted.value.length === 0) return;
  clearTimeout(timer);
  say(`Restored: ${counted(deleted.value.length, "result")}`);
  deleted.value = [];
  if (shown) selectJob(shown);
}

/** Stops the time for undoing. */
export const pauseDeletion = (): void => clearTimeout(timer);

/** Starts the time for undoing from its beginning. */
export function resumeDeletion(): void {
  clearTimeout(timer);
  if (deleted.value.length > 0) timer = setTimeout(deleteNow, UNDO_MS);
}

async function deleteNow(): Promise<void> {
  clearTimeout(timer);
  const ids = deleted.value;
  if (ids.length === 0) return;
  try {
    await backend().remove(ids);
    drop(ids);
  } catch (error) {
    deletionError.value = asBackendError(error);
  }
  // Another deletion may have begun meanwhile.
  if (deleted.value === ids) deleted.value = [];
}

function drop(ids: readonly JobId[]): void {
  for (const id of ids) {
    for (const listener of listeners) listener(id);
    forget(id);
  }
}

/** Deletes at once when the page is closed or left: nobody can undo it any more. Returns a function that stops it. */
export function deleteWhenLeaving(): () => void {
  const leave = (): void => {
    clearTimeout(timer);
    const ids = deleted.value;
    if (ids.length === 0) return;
    backend().removeLeaving(ids);
    // The browser may show this page again as it was.
    drop(ids);
    deleted.value = [];
  };
  addEventListener("pagehide", leave);
  return () => removeEventListener("pagehide", leave);
}
