import { CancelledError } from "./errors.ts";

/** Throws CancelledError once `signal` is aborted. Call it between steps of long work. */
export function throwIfCancelled(signal: AbortSignal | undefined, what?: string): void {
  if (signal?.aborted) throw new CancelledError(what);
}
