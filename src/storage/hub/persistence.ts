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
  /** A transfer from which nothing came for so long is broken. */
  stallMs: number;
}

export const defaultPersistence: Persistence = {
  attempts: 6,
  firstDelayMs: 1000,
  // The hub counts requests over five minutes.
  longestDelayMs: 300_000,
  stallMs: 30_000,
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

/** Tells a transfer to stop when the caller does, and when nothing has come for too long. */
export class Watch {
  readonly signal: AbortSignal;
  private readonly stall = new AbortController();
  private readonly timer: NodeJS.Timeout;

  constructor(stallMs: number, signal?: AbortSignal) {
    this.signal = signal ? AbortSignal.any([signal, this.stall.signal]) : this.stall.signal;
    this.timer = setTimeout(() => this.stall.abort(), stallMs);
  }

  get stalled(): boolean {
    return this.stall.signal.aborted;
  }

  /** Something came. */
  alive(): void {
    this.timer.refresh();
  }

  end(): void {
    clearTimeout(this.timer);
  }
}
