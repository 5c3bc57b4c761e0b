import { randomBytes } from "node:crypto";
import type { Job, JobError, JobRequest, JobResult } from "../../src/server/api/index.ts";
import type { JobQueue, Reported, StoredPreparation, WorkerLease } from "../../src/server/queue.ts";

/** The last call on a lease. */
type Ending = { readonly result: JobResult } | { readonly error: JobError; readonly retry: boolean } | "released";

/** A job of the queue below. */
export interface QueuedJob {
  readonly job: Job;
  /** All that a worker reported, of all attempts. */
  readonly events: Reported[];
  attempts: number;
  /** Cancels or takes away its lease. */
  stop: (reason: "cancelled" | "lost") => void;
  /** Resolves when the job has ended or was released. */
  readonly ended: Promise<Ending>;
}

/**
 * The part of a job queue that a worker uses, in memory: jobs run in order, and failed ones again, up to three times. For tests of
 * workers alone.
 */
export class WorkerQueue {
  readonly preparations = new Map<string, StoredPreparation>();
  /** Called with each saved preparation. */
  onSaved: (preparation: StoredPreparation) => void = () => undefined;
  /** All leases that were taken, as far as anything still holds them. */
  readonly leases: WeakRef<WorkerLease>[] = [];
  private readonly waiting: (QueuedJob & { end: (ending: Ending) => void })[] = [];
  private wake = (): void => undefined;

  add(request: JobRequest): QueuedJob {
    let end: (ending: Ending) => void = () => undefined;
    const ended = new Promise<Ending>((resolve) => {
      end = resolve;
    });
    const id = randomBytes(16).toString("hex");
    const job: Job = { id, request, state: "queued", created: new Date().toISOString(), attempts: 0 };
    const queued = { job, events: [], attempts: 0, stop: () => undefined, ended, end };
    this.waiting.push(queued);
    this.wake();
    return queued;
  }

  /** The interface of a worker. What no worker calls is missing. */
  get queue(): JobQueue {
    return {
      take: (_models: readonly string[], _worker: string, signal: AbortSignal) => this.take(signal),
      findPreparation: async (key: string) => this.preparations.get(key),
    } as Partial<JobQueue> as JobQueue;
  }

  private async take(signal: AbortSignal): Promise<WorkerLease | undefined> {
    while (this.waiting.length === 0) {
      if (signal.aborted) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    const queued = this.waiting.shift()!;
    const stopping = new AbortController();
    queued.attempts++;
    queued.stop = (reason) => stopping.abort(reason);
    const lease: WorkerLease = {
      job: queued.job,
      attempt: queued.attempts,
      signal: stopping.signal,
      report: async (event) => void queued.events.push(event),
      savePreparation: async (preparation) => {
        this.preparations.set(preparation.key, preparation);
        this.onSaved(preparation);
      },
      complete: async (result) => {
        if (stopping.signal.aborted) return false;
        queued.end({ result });
        return true;
      },
      fail: async (error, { retry }) => {
        if (retry && queued.attempts < 3) {
          this.waiting.unshift(queued);
          this.wake();
        } else queued.end({ error, retry });
      },
      release: async () => queued.end("released"),
    };
    this.leases.push(new WeakRef(lease));
    return lease;
  }
}
