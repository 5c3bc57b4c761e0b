import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { joinSignals } from "../../../core/index.ts";
import type { BlobId, Job, JobEvent, JobId } from "../../api/index.ts";
import type { JobFilter, JobQueue, NewJob, QueueStats, StoredPreparation, WorkerLease } from "../../queue.ts";
import { reap, release, renew, restart, take } from "./attempts.ts";
import { Bells } from "./bells.ts";
import { type Channel, type Database, type Listener, persist, type Query, type Run } from "./database.ts";
import { addedBell, jobBell, orderBell, readEvents } from "./events.ts";
import { listJobs, readJob } from "./jobs.ts";
import { HeldLease } from "./lease.ts";
import { migrate } from "./schema.ts";
import type { QueueSettings } from "./settings.ts";
import { listPreparations, readPreparation, readStats, retain } from "./stored.ts";
import { cancel, leave, remove, submit } from "./submit.ts";

/** Workers also look for jobs from time to time, in case that a notification was lost. */
const pollMs = 5000;
const reapMs = 5000;
/** Closing waits this long for a database that does not answer. */
const closeMs = 3000;
/** A worker waits this long for the database, so that hours of work are not lost with it. */
const workerPatienceMs = 600_000;

const newId = (): string => randomBytes(16).toString("hex");

/** A queue in the tables of a database. */
export class DatabaseQueue implements JobQueue {
  private readonly database: Database;
  private readonly settings: QueueSettings;
  private readonly bells: Bells;
  private readonly leases: Map<string, HeldLease>;
  private readonly closing = new AbortController();
  /** Calls of take that have not returned. */
  private readonly taking = new Set<Promise<unknown>>();
  private isClosed = false;
  private readonly timers: NodeJS.Timeout[] = [];

  private constructor(database: Database, settings: QueueSettings, bells: Bells, leases: Map<string, HeldLease>) {
    this.database = database;
    this.settings = settings;
    this.bells = bells;
    this.leases = leases;
  }

  /** Opens a queue. Makes its tables if there are none. `open`: opens the database. */
  static async open(open: (listener: Listener) => Promise<Database>, settings: QueueSettings): Promise<DatabaseQueue> {
    const bells = new Bells();
    const leases = new Map<string, HeldLease>();
    const onNotice = (channel: Channel, payload: string): void => {
      if (channel === "baret_jobs") bells.ring(jobBell(payload));
      else if (channel === "baret_leases") leases.get(payload)?.lose("cancelled");
      else {
        bells.ring(orderBell);
        if (payload === "added") bells.ring(addedBell);
      }
    };
    let onGap = (): void => undefined;
    const database = await open({ onNotice, onGap: () => onGap() });
    const queue = new DatabaseQueue(database, settings, bells, leases);
    onGap = () => {
      bells.ringAll();
      // If it fails, the next heartbeat does the same.
      queue.renewLeases().catch(() => undefined);
    };
    try {
      await queue.run(async (query) => {
        await migrate(query, database.name);
        if (database.isExclusive) await restart(query);
      });
    } catch (error) {
      await database.close();
      throw error;
    }
    queue.startTimers();
    return queue;
  }

  async submit(job: NewJob): Promise<{ job: Job; isNew: boolean }> {
    const id = newId();
    return this.run(async (query) => {
      const found = await submit(query, id, job, this.settings);
      return { job: (await readJob(query, found))!, isNew: found === id };
    });
  }

  get(id: JobId): Promise<Job | undefined> {
    return this.run((query) => readJob(query, id));
  }

  list(filter: JobFilter = {}): Promise<readonly Job[]> {
    return this.run((query) => listJobs(query, filter));
  }

  cancel(id: JobId, client: string): Promise<Job | undefined> {
    return this.run(async (query) => {
      await cancel(query, id, client);
      return readJob(query, id);
    });
  }

  leave(id: JobId, client: string): Promise<void> {
    return this.run((query) => leave(query, id, client));
  }

  remove(id: JobId, client: string): Promise<boolean> {
    return this.run((query) => remove(query, id, client));
  }

  async *events(
    id: JobId,
    { after = 0, signal }: { after?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<JobEvent, void> {
    const ends = joinSignals(this.closing.signal, signal);
    try {
      yield* readEvents(this.run, this.bells, id, after, ends.signal);
    } finally {
      ends.release();
    }
  }

  take(models: readonly string[], worker: string, signal: AbortSignal): Promise<WorkerLease | undefined> {
    const taking = this.waitForJob(models, worker, signal).finally(() => this.taking.delete(taking));
    this.taking.add(taking);
    return taking;
  }

  private async waitForJob(
    models: readonly string[],
    worker: string,
    signal: AbortSignal,
  ): Promise<HeldLease | undefined> {
    const { signal: ends, release: forget } = joinSignals(this.closing.signal, signal);
    const added = this.bells.hear(addedBell);
    try {
      while (!ends.aborted) {
        const lease = newId();
        const job = await this.runForWorker((query) => take(query, models, worker, lease));
        if (job && ends.aborted) await this.runForWorker((query) => release(query, lease));
        else if (job) return this.hold(lease, job);
        else await added.wait(pollMs, ends);
      }
      return undefined;
    } finally {
      forget();
      added.close();
    }
  }

  findPreparation(key: string): Promise<StoredPreparation | undefined> {
    return this.run((query) => readPreparation(query, key));
  }

  preparations(): Promise<readonly StoredPreparation[]> {
    return this.run(listPreparations);
  }

  retain(limits: { readonly jobs: number; readonly days: number }): Promise<ReadonlySet<BlobId>> {
    return this.run((query) => retain(query, limits));
  }

  stats(): Promise<QueueStats> {
    return this.run(readStats);
  }

  /** Ends all that waits, puts back the jobs of this process's workers, and closes the database. */
  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    for (const timer of this.timers) clearInterval(timer);
    this.closing.abort();
    const held = [...this.leases.values()];
    for (const lease of held) lease.lose("lost");
    // If the database does not answer, other workers get the jobs when these leases run out.
    const ends = [...this.taking, ...held.map(({ id }) => this.persist(closeMs, (query) => release(query, id)))];
    await Promise.race([Promise.allSettled(ends), sleep(closeMs, undefined, { ref: false })]);
    this.isClosed = true;
    await this.database.close();
  }

  private hold(id: string, job: Job): HeldLease {
    const lease = new HeldLease(id, job, this.runForWorker, this.settings.attempts, () => this.leases.delete(id));
    this.leases.set(id, lease);
    return lease;
  }

  private startTimers(): void {
    const { heartbeatSeconds, silentSeconds, attempts } = this.settings;
    // What fails here is tried again at the next tick.
    const every = (ms: number, work: () => Promise<unknown>): void => {
      let isBusy = false;
      const tick = async (): Promise<void> => {
        if (isBusy) return;
        isBusy = true;
        await work().catch(() => undefined);
        isBusy = false;
      };
      this.timers.push(setInterval(tick, ms).unref());
    };
    every(heartbeatSeconds * 1000, () => this.renewLeases());
    every(Math.min(reapMs, silentSeconds * 200), () => this.once((query) => reap(query, silentSeconds, attempts)));
  }

  /** Renews the leases of this process, and tells those that are lost or cancelled. */
  private async renewLeases(): Promise<void> {
    const held = [...this.leases.values()];
    if (held.length === 0) return;
    const ids = held.map(({ id }) => id);
    const { kept, cancelled } = await this.once((query) => renew(query, ids));
    for (const lease of held) {
      if (kept.has(lease.id) || lease.isEnding) continue;
      lease.lose(cancelled.has(lease.id) ? "cancelled" : "lost");
    }
  }

  private readonly once: Run = (work) => this.database.transaction(work);

  private readonly run: Run = (work) => this.persist(this.settings.patienceSeconds * 1000, work);

  private readonly runForWorker: Run = (work) => this.persist(workerPatienceMs, work);

  private persist<T>(patienceMs: number, work: (query: Query) => Promise<T>): Promise<T> {
    return persist(this.database, patienceMs, () => this.isClosed, work);
  }
}
