import { setTimeout as sleep } from "node:timers/promises";
import type { Job, JobError, JobId, JobResult } from "../../api/index.ts";
import type { Reported, StoredPreparation, WorkerLease } from "../../queue.ts";
import { complete, fail, forgiveFailures, release } from "./attempts.ts";
import type { Query, Run } from "./database.ts";
import { addEvent, notify } from "./jobs.ts";
import { writePreparation } from "./stored.ts";

/** Time between two writes of progress and previews. */
const reportMs = 500;

/** A worker's hold on a job in the database. */
export class HeldLease implements WorkerLease {
  readonly job: Job;
  readonly attempt: number;
  readonly id: string;
  private readonly run: Run;
  private readonly attempts: number;
  private readonly onEnd: () => void;
  private readonly controller = new AbortController();
  /** Reports are stored one after another, in the order in which they were made. */
  private last: Promise<unknown> = Promise.resolve();
  private count = 0;
  private passing: { progress?: object; preview?: string } | undefined;
  private ended = false;

  constructor(id: string, job: Job, run: Run, attempts: number, onEnd: () => void) {
    this.id = id;
    this.job = job;
    this.attempt = job.attempts;
    this.run = run;
    this.attempts = attempts;
    this.onEnd = onEnd;
  }

  /** True from the moment when the worker ends the attempt. */
  get isEnding(): boolean {
    return this.ended;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  async report(event: Reported): Promise<void> {
    if (event.type === "progress" || event.type === "preview") return this.reportPassing(event);
    const report = `${this.id} ${this.count++}`;
    await this.inTurn(async (query) => {
      if (await isHeld(query, this.id)) await addEvent(query, this.job.id, event, report);
    });
  }

  /** Keeps the newest of what passes, and writes it at most every `reportMs`. */
  private reportPassing(event: Extract<Reported, { type: "progress" | "preview" }>): void {
    if (this.ended) return;
    const isWriting = this.passing !== undefined;
    const { type: _, ...value } = event;
    this.passing = { ...this.passing, ...value };
    if (!isWriting) this.writePassing().catch(() => undefined);
  }

  /** Writes what passes until there is no more. A failed write is no loss: a newer value follows. */
  private async writePassing(): Promise<void> {
    while (this.passing && !this.ended) {
      const { progress, preview } = this.passing;
      this.passing = {};
      await this.inTurn(async (query) => {
        // What passes need not survive a power cut.
        await query("set local synchronous_commit = off");
        const rows = await query(
          `update baret.jobs set progress = coalesce($2::json, progress), preview = coalesce($3, preview)
           where lease = $1 and state = 'running' returning id`,
          [this.id, progress ? JSON.stringify(progress) : null, preview ?? null],
        );
        if (rows.length > 0) await notify(query, "baret_jobs", this.job.id);
      }).catch(() => undefined);
      await sleep(reportMs, undefined, { ref: false });
      if (Object.keys(this.passing).length === 0) this.passing = undefined;
    }
  }

  async savePreparation(preparation: StoredPreparation): Promise<void> {
    await this.inTurn(async (query) => {
      if (await writePreparation(query, preparation)) await forgiveFailures(query, this.id);
    });
  }

  complete(result: JobResult): Promise<boolean> {
    return this.end((query) => complete(query, this.id, result));
  }

  async fail(error: JobError, { retry }: { readonly retry: boolean }): Promise<void> {
    await this.end((query) => fail(query, this.id, error, retry, this.attempts));
  }

  async release(): Promise<void> {
    await this.end((query) => release(query, this.id));
  }

  /** Tells the worker that it no longer has the job. */
  lose(reason: "cancelled" | "lost"): void {
    this.ended = true;
    this.controller.abort(reason);
    this.onEnd();
  }

  private async end<T>(work: (query: Query) => Promise<T>): Promise<T> {
    this.ended = true;
    const result = await this.inTurn(work);
    this.onEnd();
    return result;
  }

  private inTurn<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.run(work));
    this.last = result.catch(() => undefined);
    return result;
  }
}

async function isHeld(query: Query, lease: string): Promise<boolean> {
  const rows = await query<{ id: JobId }>(
    "select id from baret.jobs where lease = $1 and state = 'running' for update",
    [lease],
  );
  return rows.length > 0;
}
