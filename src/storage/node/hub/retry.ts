import { setTimeout as sleep } from "node:timers/promises";
import { type HubError, throwIfCancelled } from "../../../core/index.ts";

/** When a failed request to the hub is repeated, and when a transfer counts as stalled. */
export interface RetryPolicy {
  /** The work is given up after this many failures in a row. A try that brought enough bytes starts the count anew. */
  attempts: number;
  /** Wait after the first failure. It doubles after every further one. */
  firstDelayMs: number;
  /** No wait is longer, even if the hub asks for it. */
  longestDelayMs: number;
  /** A transfer is aborted if it brings fewer than `stallBytes` in this time and does not end. */
  stallMs: number;
  stallBytes: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  attempts: 6,
  firstDelayMs: 1000,
  // The hub counts requests over five minutes.
  longestDelayMs: 300_000,
  stallMs: 30_000,
  stallBytes: 64 << 10,
};

/** A failure that a later try may not meet again. */
export class RetryableError extends Error {
  /** The error to throw after the last try. */
  readonly reason: HubError;
  /** When the hub wants to be asked again. */
  readonly retryAfterMs?: number;
  /** True if the try brought enough bytes that earlier failures no longer count. */
  progressed = false;

  constructor(reason: HubError, retryAfterMs?: number) {
    super(reason.message, { cause: reason });
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface RetryWork {
  policy: RetryPolicy;
  signal?: AbortSignal;
  /** Called before each wait. */
  onWait?: (reason: HubError, delayMs: number) => void;
}

/**
 * Runs `work` and repeats it after each RetryableError, whose reason is thrown after the last try. Any other error is
 * thrown at once. Throws CancelledError if the signal aborts.
 */
export async function withRetries<T>(work: () => Promise<T>, { policy, signal, onWait }: RetryWork): Promise<T> {
  const { attempts, firstDelayMs, longestDelayMs } = policy;
  let failures = 0;
  for (;;) {
    throwIfCancelled(signal, "the download");
    try {
      return await work();
    } catch (error) {
      // An aborted request fails with an error of its own.
      throwIfCancelled(signal, "the download");
      if (!(error instanceof RetryableError)) throw error;
      failures = error.progressed ? 1 : failures + 1;
      const delay = error.retryAfterMs ?? firstDelayMs * 2 ** (failures - 1);
      if (failures >= attempts || delay > longestDelayMs) throw error.reason;
      onWait?.(error.reason, delay);
      await sleep(delay, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * Aborts its signal if the caller's signal aborts or if a transfer stalls: fewer than `stallBytes` in `stallMs`. A trickle
 * is a stall too, otherwise it would be awaited for hours.
 */
export class StallTimer {
  readonly signal: AbortSignal;
  private readonly stallBytes: number;
  private readonly stall = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private bytes = 0;

  constructor({ stallMs, stallBytes }: RetryPolicy, signal?: AbortSignal) {
    this.signal = signal ? AbortSignal.any([signal, this.stall.signal]) : this.stall.signal;
    this.stallBytes = stallBytes;
    this.timer = setTimeout(() => this.stall.abort(), stallMs);
  }

  /** Bytes received in the `stallMs` before the transfer stalled. Undefined if it did not. */
  get bytesAtStall(): number | undefined {
    return this.stall.signal.aborted ? this.bytes : undefined;
  }

  /** Starts the time anew. */
  restart(): void {
    this.bytes = 0;
    this.timer.refresh();
  }

  received(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes >= this.stallBytes) this.restart();
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
