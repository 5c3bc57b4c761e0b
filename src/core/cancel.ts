import { CancelledError } from "./errors.ts";

/** Throws CancelledError once `signal` is aborted. Call it between steps of long work. */
export function throwIfCancelled(signal: AbortSignal | undefined, what?: string): void {
  if (signal?.aborted) throw new CancelledError(what, signal.reason);
}

/**
 * Lets other work that waits for this thread run. Call it between stages of long work. Throws CancelledError once `signal`
 * is aborted.
 */
export async function giveTurn(signal: AbortSignal | undefined, what?: string): Promise<void> {
  throwIfCancelled(signal, what);
  await new Promise((resolve) => setTimeout(resolve));
  throwIfCancelled(signal, what);
}

/**
 * Waits for `work`, but rejects with CancelledError as soon as `signal` aborts. The work is not stopped; its late result is
 * ignored.
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

/** A signal that stands for several. */
export interface JoinedSignal {
  readonly signal: AbortSignal;
  /** Forgets the others. Call it when nobody needs the signal any more. */
  release(): void;
}

/**
 * Returns a signal that aborts as soon as one of `signals` does, with its reason. AbortSignal.any of Node 20 leaves something in
 * each of them for ever, which grows if one of them lives as long as the process.
 */
export function joinSignals(...signals: readonly (AbortSignal | undefined)[]): JoinedSignal {
  const joined = new AbortController();
  const given = signals.filter((signal) => signal !== undefined);
  const release = (): void => {
    for (const signal of given) signal.removeEventListener("abort", abort);
  };
  const abort = (): void => {
    joined.abort(given.find(({ aborted }) => aborted)?.reason);
    release();
  };
  for (const signal of given) signal.addEventListener("abort", abort);
  if (given.some(({ aborted }) => aborted)) abort();
  return { signal: joined.signal, release };
}

/**
 * Waits, for one of several callers, for work that they share. `work` starts it or returns the promise of the running one.
 * Rejects with CancelledError as soon as this caller's `signal` aborts. If another caller's signal ended the work, calls
 * `work` again.
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
