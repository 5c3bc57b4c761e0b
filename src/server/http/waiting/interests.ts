import type { JobId } from "../../api/index.ts";
import type { Service } from "../../service.ts";

/** A client that retries comes back after at most 8 seconds: so long waits the official OpenAI client between two attempts. */
const GRACE_MS = 10_000;

export interface InterestsOptions {
  readonly service: Pick<Service, "leave">;
  /** Gets errors that no request can be told of. */
  readonly onFault: (error: unknown) => void;
  readonly graceMs?: number;
}

/** One connection of a client that waits for a job. Exactly one of its functions is called in the end. */
export interface Interest {
  /** The job has ended, or the client was told of it. */
  end(): void;
  /** The client is gone. isRetried: it may come back and ask for the same job. */
  leave(isRetried: boolean): void;
}

/**
 * Counts the connections that wait for each job, for each client. If the last one of a client is gone, the client's interest in
 * the job is taken back: at once, or after a grace time in which the client may come back. It stays if the client has also queued
 * the job without waiting for it.
 */
export class Interests {
  private readonly options: InterestsOptions;
  private readonly waiting = new Map<string, number>();
  private readonly leaving = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(options: InterestsOptions) {
    this.options = options;
  }

  /** Notes that a connection of a client waits for a job. */
  add(id: JobId, client: string): Interest {
    const key = `${id} ${client}`;
    clearTimeout(this.leaving.get(key));
    this.leaving.delete(key);
    this.waiting.set(key, (this.waiting.get(key) ?? 0) + 1);
    const isLast = (): boolean => {
      const left = (this.waiting.get(key) ?? 1) - 1;
      if (left > 0) this.waiting.set(key, left);
      else this.waiting.delete(key);
      return left <= 0;
    };
    return {
      end: () => void isLast(),
      leave: (isRetried) => {
        if (!isLast()) return;
        if (!isRetried) return void this.takeBack(id, client);
        const timer = setTimeout(() => {
          this.leaving.delete(key);
          void this.takeBack(id, client);
        }, this.options.graceMs ?? GRACE_MS);
        // A server that stops does not wait for this: its jobs stay queued.
        (timer as { unref?: () => void }).unref?.();
        this.leaving.set(key, timer);
      },
    };
  }

  private async takeBack(id: JobId, client: string): Promise<void> {
    await this.options.service.leave(id, client).catch(this.options.onFault);
  }
}
