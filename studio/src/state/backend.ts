import { signal } from "@preact/signals";
import { type Backend, BackendError } from "../backend.ts";

let current: Backend | undefined;

/** Sets who does the studio's work. Call it once, before anything else of this folder. */
export const setBackend = (backend: Backend): void => {
  current = backend;
};

/** Returns who does the studio's work. */
export function backend(): Backend {
  if (!current) throw new Error("setBackend was not called");
  return current;
}

/** connecting: nothing was heard yet. lost: the last attempt failed, and the studio tries again. */
export const connection = signal<"connecting" | "open" | "lost">("connecting");

/** Returns any error as one that the studio can show. */
export const asBackendError = (error: unknown): BackendError =>
  error instanceof BackendError
    ? error
    : new BackendError(error instanceof Error ? error.message : String(error), { code: "failure" });

/** Seconds between two attempts if the backend does not say. */
const usualPause = 2;

/** Asks the backend, again and again while it is starting. */
export async function onceReady<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { code, retryAfter = usualPause } = asBackendError(error);
      if (code !== "not_ready") throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * retryAfter));
    }
  }
}
