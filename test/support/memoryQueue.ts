import { randomBytes } from "node:crypto";
import {
  type BlobId,
  hasEnded,
  type Job,
  type JobEvent,
  type JobId,
  type JobResult,
  type JobState,
} from "../../src/server/api/index.ts";
import { BusyError } from "../../src/server/errors.ts";
import type { JobFilter, JobQueue, NewEvent, NewJob, StoredPreparation, WorkerLease } from "../../src/server/queue.ts";

interface Entry {
  job: Job;
  readonly asked: NewJob;
  readonly clients: Set<string>;
  /** Those of them that asked for the job without waiting for it. */
  readonly keepers: Set<string>;
  readonly listed: Set<string>;
  readonly kept: JobEvent[];
  readonly hear: Set<(event: JobEvent) => void>;
  readonly stop: AbortController;
}

/** A queue in memory for tests of what is above it. It has no priorities, no fairness, and forgets everything. */
export class MemoryQueue implements JobQueue {
  private readonly entries: Entry[] = [];
  private readonly stored = new Map<string, StoredPreparation>();
  private readonly wake = new Set<() => void>();
  private readonly most: number;

  constructor(most = 50) {
    this.most = most;
  }

  async submit(asked: NewJob): Promise<{ job: Job; isNew: boolean }> {
    const { request, key, client, waits } = asked;
    const same = this.entries.find(
      (entry) => entry.asked.key === key && !["failed", "cancelled"].includes(entry.job.state),
    );
    if (same) {
      same.clients.add(client);
      same.listed.add(client);
      if (!waits) same.keepers.add(client);
      return { job: same.job, isNew: false };
    }
    const own = this.entries.filter((entry) => entry.clients.has(client) && entry.job.state === "queued");
    if (own.length >= this.most) throw new BusyError("too many queued jobs of this client", { retryAfter: 7 });
    const job: Job = {
      id: randomBytes(16).toString("hex"),
      request,
      state: "queued",
      created: new Date().toISOString(),
      position: this.entries.filter(({ job }) => job.state === "queued").length,
      attempts: 0,
    };
    const entry: Entry = {
      job,
      asked,
      clients: new Set([client]),
      listed: new Set([client]),
      keepers: new Set(waits ? [] : [client]),
      kept: [],
      hear: new Set(),
      stop: new AbortController(),
    };
    this.entries.push(entry);
    this.add(entry, { type: "state", state: "queued", attempts: 0 });
    for (const one of this.wake) one();
    return { job, isNew: true };
  }

  async get(id: JobId): Promise<Job | undefined> {
    return this.find(id)?.job;
  }

  async list({ client, states, search, limit = 50, before }: JobFilter = {}): Promise<readonly Job[]> {
    const newest = [...this.entries].reverse();
    const from = before === undefined ? 0 : newest.findIndex(({ job }) => job.id === before) + 1;
    return newest
      .slice(from)
      .filter(
        ({ job, listed }) =>
          (client === undefined || listed.has(client)) &&
          (states?.includes(job.state) ?? true) &&
          (search === undefined || job.request.target.includes(search)),
      )
      .slice(0, limit)
      .map(({ job }) => job);
  }

  async cancel(id: JobId, client: string): Promise<Job | undefined> {
    const entry = this.find(id);
    if (!entry || hasEnded(entry.job.state)) return entry?.job;
    entry.clients.delete(client);
    if (entry.clients.size === 0) {
      entry.stop.abort("cancelled");
      this.end(entry, "cancelled", {});
    }
    return entry.job;
  }

  async leave(id: JobId, client: string): Promise<void> {
    if (!this.find(id)?.keepers.has(client)) await this.cancel(id, client);
  }

  async remove(id: JobId, client: string): Promise<boolean> {
    const entry = this.find(id);
    if (!entry || !hasEnded(entry.job.state) || !entry.listed.delete(client)) return false;
    if (entry.listed.size === 0) this.entries.splice(this.entries.indexOf(entry), 1);
    return true;
  }

  async *events(id: JobId, { after = 0, signal }: { after?: number; signal?: AbortSignal } = {}) {
    const entry = this.find(id);
    if (!entry) return;
    const waiting: JobEvent[] = entry.kept.filter((event) => "seq" in event && event.seq > after);
    let wake = (): void => undefined;
    const hear = (event: JobEvent): void => {
      waiting.push(event);
      wake();
    };
    entry.hear.add(hear);
    const stop = (): void => wake();
    signal?.addEventListener("abort", stop);
    try {
      for (;;) {
        for (let event = waiting.shift(); event; event = waiting.shift()) yield event;
        if (hasEnded(entry.job.state) || signal?.aborted) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      entry.hear.delete(hear);
      signal?.removeEventListener("abort", stop);
    }
  }

  async take(models: readonly string[], _worker: string, signal: AbortSignal): Promise<WorkerLease | undefined> {
    for (;;) {
      const next = this.entries.find(({ job, asked }) => job.state === "queued" && models.includes(asked.model));
      if (next) return this.lease(next);
      if (signal.aborted) return undefined;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.wake.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.wake.add(done);
        signal.addEventListener("abort", done);
      });
    }
  }

  async findPreparation(key: string): Promise<StoredPreparation | undefined> {
    return this.stored.get(key);
  }

  async preparations(): Promise<readonly StoredPreparation[]> {
    return [...this.stored.values()];
  }

  async retain(): Promise<ReadonlySet<BlobId>> {
    return new Set();
  }

  async stats() {
    const count = (state: JobState): number => this.entries.filter(({ job }) => job.state === state).length;
    return {
      queued: count("queued"),
      running: count("running"),
      done: count("done"),
      failed: count("failed"),
      cancelled: count("cancelled"),
      workers: 0,
    };
  }

  async close(): Promise<void> {}

  private find(id: JobId): Entry | undefined {
    return this.entries.find(({ job }) => job.id === id);
  }

  private add(entry: Entry, reported: NewEvent): void {
    const isKept = !["progress", "preview", "position"].includes(reported.type);
    const event = (isKept ? { ...reported, seq: entry.kept.length + 1 } : reported) as JobEvent;
    if (isKept) entry.kept.push(event);
    for (const hear of entry.hear) hear(event);
  }

  private end(entry: Entry, state: JobState, more: Partial<Pick<Job, "result" | "error">>): void {
    const { position: _, ...job } = entry.job;
    entry.job = { ...job, state, ended: new Date().toISOString(), ...more };
    this.add(entry, { type: "state", state, attempts: job.attempts, ...more });
  }

  private lease(entry: Entry): WorkerLease {
    const { position: _, ...job } = entry.job;
    entry.job = { ...job, state: "running", started: new Date().toISOString(), attempts: job.attempts + 1 };
    this.add(entry, { type: "state", state: "running", attempts: entry.job.attempts });
    const isHeld = (): boolean => entry.job.state === "running";
    return {
      job: entry.job,
      attempt: entry.job.attempts,
      signal: entry.stop.signal,
      report: async (event) => {
        if (event.type === "progress") entry.job = { ...entry.job, progress: event.progress };
        if (isHeld()) this.add(entry, event);
      },
      savePreparation: async (preparation) => void this.stored.set(preparation.key, preparation),
      complete: async (result: JobResult) => {
        if (!isHeld()) return false;
        this.end(entry, "done", { result });
        return true;
      },
      fail: async (error) => {
        if (isHeld()) this.end(entry, "failed", { error });
      },
      release: async () => {
        if (isHeld()) entry.job = { ...entry.job, state: "queued" };
        for (const one of this.wake) one();
      },
    };
  }
}
