import { CancelledError } from "./errors.ts";

/** Throws CancelledError once `signal` is aborted. Call it between steps of long work. */
export function throwIfCancelled(signal: AbortSignal | undefined, what?: string): void {
  if (signal?.aborted) throw new CancelledError(what, signal.reason);
}

/** Lets what else waits for this thread have its turn. Call it between stages of long work; throws as `throwIfCancelled`. */
export async function giveTurn(signal: AbortSignal | undefined, what?: string): Promise<void> {
  throwIfCancelled(signal, what);
  await new Promise((resolve) => setTimeout(resolve));
  throwIfCancelled(signal, what);
}

/**
 * What `work` comes to, or CancelledError at once when `signal` is aborted. For work that cannot be told to stop: it goes
 * on, and what it comes to is dropped.
 */
export async function orCancelled<T>(work: Promise<T>, signal: AbortSignal | undefined, what?: string): Promise<T> {
  if (!signal) return work;
  let cancel = (): void => undefined;
  const cancelled = new Promise<never>((_, reject) => {
    cancel = () => reject(new CancelledError(what, signal.reason));
  });
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  try {
    return await Promise.race([cancelled, work]);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/**
 * What work that several callers share comes to, for one of them: its own `signal` ends its waiting at once, and where
 * another's ended the work, `work` is asked again. `work` starts it, or finds it under way.
 */
export async function sharedWork<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
  what?: string,
): Promise<T> {
  for (;;) {
    try {
      return await orCancelled(work(), signal, what);
    } catch (error) {
      if (!(error instanceof CancelledError) || signal?.aborted) throw error;
    }
  }
}

/**
 * Runs `work` for a caller who called it `what`: if the caller's signal ends it, the error speaks of that, whatever was
 * interrupted inside, and its cause is the signal's reason.
 */
export async function cancelledAs<T>(
  what: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CancelledError && signal?.aborted) throw new CancelledError(what, signal.reason);
    throw error;
  }
}
