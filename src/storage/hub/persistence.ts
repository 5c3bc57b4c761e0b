import { setTimeout as sleep } from "node:timers/promises";
import { type HubError, throwIfCancelled } from "../../core/index.ts";

/** How long a hub that fails is asked again. */
export interface Persistence {
  /** Failures in a row, without a byte in between that counts, before the work is given up. */
  attempts: number;
  /** The wait after the first failure; doubled after every further one. */
  firstDelayMs: number;
  /** No longer wait than this, also where the hub asks for one. */
  longestDelayMs: number;
  /** A transfer is broken off if it has not ended and brought fewer than `stallBytes` in so long. */
  stallMs: number;
  stallBytes: number;
}

export const defaultPersistence: Persistence = {
  attempts: 6,
  firstDelayMs: 1000,
  // The hub counts requests over five minutes.
  longestDelayMs: 300_000,
  stallMs: 30_000,
  stallBytes: 64 << 10,
};

/** A failure that may be over when the work is tried again. */
export class Interruption extends Error {
  /** What to say where it never is. */
  readonly reason: HubError;
  /** The hub's own word on when to ask again. */
  readonly retryAfterMs?: number;
  /** Whether the work got on before it failed. */
  advanced = false;

  constructor(reason: HubError, retryAfterMs?: number) {
    super(reason.message, { cause: reason });
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface PersistentWork {
  persistence: Persistence;
  signal?: AbortSignal;
  /** Told before each wait. */
  onWait?: (reason: HubError, delayMs: number) => void;
}

/**
 * What `work` comes to, tried again after each Interruption. Throws its reason where it fails too often in a row,
 * CancelledError when told to stop, and any other error of `work` at once.
 */
export async function persistently<T>(
  work: () => Promise<T>,
  { persistence, signal, onWait }: PersistentWork,
): Promise<T> {
  const { attempts, firstDelayMs, longestDelayMs } = persistence;
  let failures = 0;
  for (;;) {
    throwIfCancelled(signal, "the download");
    try {
      return await work();
    } catch (error) {
      // A request that is told to stop ends in some error of its own.
      throwIfCancelled(signal, "the download");
      if (!(error instanceof Interruption)) throw error;
      failures = error.advanced ? 1 : failures + 1;
      const delay = error.retryAfterMs ?? firstDelayMs * 2 ** (failures - 1);
      if (failures >= attempts || delay > longestDelayMs) throw error.reason;
      onWait?.(error.reason, delay);
      await sleep(delay, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * Aborts its signal when the caller's does, or when a transfer stalls: `stallMs` after its last start or after its last
 * `stallBytes`. A trickle is a stall, or it would be waited for without end.
 */
export class Watch {
  readonly signal: AbortSignal;
  private readonly stallBytes: number;
  private readonly stall = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private bytes = 0;

  constructor({ stallMs, stallBytes }: Persistence, signal?: AbortSignal) {
    this.signal = signal ? AbortSignal.any([signal, this.stall.signal]) : this.stall.signal;
    this.stallBytes = stallBytes;
    this.timer = setTimeout(() => this.stall.abort(), stallMs);
  }

  /** Bytes that came in the `stallMs` before the transfer stalled; undefined if it did not. */
  get stalledAfter(): number | undefined {
    return this.stall.signal.aborted ? this.bytes : undefined;
  }

  /** An answer begins. */
  begin(): void {
    this.bytes = 0;
    this.timer.refresh();
  }

  /** A part of an answer came. */
  came(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes >= this.stallBytes) this.begin();
  }

  end(): void {
    clearTimeout(this.timer);
  }
}
