import {
  hasEnded,
  type Job,
  type JobError,
  type JobEvent,
  type JobId,
  type JobQuery,
  type JobRequest,
  type JobResult,
  type JobState,
} from "../api/index.ts";
import { BusyError, ConflictError, NotFoundError } from "../errors.ts";
import type { Lease, NewEvent, Reported } from "../queue.ts";
import type { JobStore, StoredJob } from "./jobStore.ts";

/** Most jobs that may wait. */
export const MAX_QUEUED = 50;
/** A job that takes the page with it fails after so many attempts that got no further, or after so many in all. */
const [MAX_FRUITLESS, MAX_ATTEMPTS] = [3, 20];
/** When a job was last asked for is stored no more often, in milliseconds. */
const USED_MS = 60_000;

/** One job, with what only lasts as long as the page. */
interface Entry {
  stored: StoredJob;
  /** Stops the job if it runs. */
  readonly stop: AbortController;
}

/** Hears of the events of all jobs. */
export type HearEvent = (id: JobId, event: JobEvent) => void;

const isHopeless = ({ fruitless, job: { attempts } }: StoredJob): boolean =>
  fruitless >= MAX_FRUITLESS || attempts >= MAX_ATTEMPTS;
const fleeting: readonly string[] = ["progress", "preview", "position"];
const randomId = (): JobId => crypto.randomUUID().replaceAll("-", "");

/**
 * The jobs of one person in one browser: they run one at a time, in the order in which they came, interactive ones first. A job
 * that was running when the page was closed waits again, before the others.
 */
export class PageQueue {
  private readonly store: JobStore;
  /** Jobs in the order in which they came. */
  private readonly entries = new Map<JobId, Entry>();
  private readonly hearers = new Set<HearEvent>();
  private wake = (): void => undefined;
  /** Saves, one after the other, so that an older state never replaces a newer one. */
  private saving: Promise<void> = Promise.resolve();

  private constructor(store: JobStore) {
    this.store = store;
  }

  static async open(store: JobStore): Promise<PageQueue> {
    const queue = new PageQueue(store);
    const found = [...(await store.all())].sort((a, b) => a.job.created.localeCompare(b.job.created));
    for (const stored of found) queue.entries.set(stored.job.id, { stored, stop: new AbortController() });
    for (const entry of queue.entries.values()) {
      if (entry.stored.job.state === "running") await queue.change(entry, "queued").catch(() => undefined);
    }
    return queue;
  }

  /** Calls `hear` with every event of every job. Returns a function that ends it. */
  listen(hear: HearEvent): () => void {
    this.hearers.add(hear);
    return () => this.hearers.delete(hear);
  }

  /**
   * Adds a job, or returns the one with the same key that waits, runs or is done. It is stored when this resolves. Throws
   * BusyError if too many wait, StorageError if there is no room.
   */
  async submit(request: JobRequest, key: string): Promise<Job> {
    const equal = [...this.entries.values()].find(
      ({ stored }) => stored.key === key && !["failed", "cancelled"].includes(stored.job.state),
    );
    if (equal) return this.shown(this.touched(equal));
    const waiting = this.inOrder().length;
    if (waiting >= MAX_QUEUED) {
      throw new BusyError("too many jobs wait", {
        retryAfter: 30,
        found: `${waiting}`,
        expected: `fewer than ${MAX_QUEUED}`,
        advice: "Wait until some have ended, or cancel some.",
      });
    }
    const now = new Date();
    const job: Job = { id: randomId(), request, state: "queued", created: this.after(now).toISOString(), attempts: 0 };
    const entry = { stored: { job, key, events: [], used: now.getTime(), fruitless: 0 }, stop: new AbortController() };
    this.entries.set(job.id, entry);
    try {
      await this.add(entry, { type: "state", state: "queued", attempts: 0 });
    } catch (error) {
      this.entries.delete(job.id);
      throw error;
    }
    this.wake();
    return this.shown(entry);
  }

  /** Throws NotFoundError if there is no such job. */
  get(id: JobId): Job {
    return this.shown(this.touched(this.found(id)));
  }

  /** Lists jobs, newest first. */
  list({ states, search, limit = 50, before }: JobQuery): Job[] {
    const newest = [...this.entries.values()].reverse();
    const from = before === undefined ? 0 : newest.findIndex(({ stored }) => stored.job.id === before) + 1;
    const words = search?.toLowerCase();
    return newest
      .slice(from)
      .filter(
        ({ stored: { job } }) =>
          (states?.includes(job.state) ?? true) &&
          (words === undefined || job.request.target.toLowerCase().includes(words)),
      )
      .slice(0, limit)
      .map((entry) => this.shown(entry));
  }

  /** Returns all events of a job from `after` on, and then the newest progress, preview and position. Throws NotFoundError. */
  events(id: JobId, after = 0): JobEvent[] {
    const { stored } = this.found(id);
    const { progress, preview, position } = this.shown(this.found(id));
    return [
      ...stored.events.filter((event) => "seq" in event && event.seq > after),
      ...(position === undefined ? [] : [{ type: "position" as const, position }]),
      ...(progress ? [{ type: "progress" as const, progress }] : []),
      ...(preview === undefined ? [] : [{ type: "preview" as const, preview }]),
    ];
  }

  /** Cancels a job, if it has not ended. Throws NotFoundError. */
  async cancel(id: JobId): Promise<Job> {
    const entry = this.found(id);
    if (!hasEnded(entry.stored.job.state)) {
      entry.stop.abort("cancelled");
      await this.change(entry, "cancelled");
      this.tellPositions();
    }
    return this.shown(entry);
  }

  /** Cancels all jobs that have not ended: first those that wait, so that none of them begins. */
  async cancelAll(): Promise<void> {
    const open = [...this.entries.values()].filter(({ stored }) => !hasEnded(stored.job.state)).reverse();
    for (const { stored } of open) await this.cancel(stored.job.id);
  }

  has(id: JobId): boolean {
    return this.entries.has(id);
  }

  /** Forgets an ended job. Throws ConflictError if it has not ended, NotFoundError. */
  async remove(id: JobId): Promise<void> {
    const { state } = this.found(id).stored.job;
    if (!hasEnded(state)) {
      throw new ConflictError("the job has not ended", { found: state, advice: "Cancel it first." });
    }
    this.entries.delete(id);
    await this.store.delete(id);
  }

  /** All jobs that have ended, the one that was not asked for longest first. */
  leastUsed(): Job[] {
    return [...this.entries.values()]
      .filter(({ stored }) => hasEnded(stored.job.state))
      .sort((a, b) => a.stored.used - b.stored.used)
      .map(({ stored }) => stored.job);
  }

  /** All jobs. */
  all(): Job[] {
    return [...this.entries.values()].map(({ stored }) => stored.job);
  }

  /**
   * Waits for the next job. Returns undefined if `signal` aborts. canRun: false for a job that must wait longer, such as for a
   * model that is not open; `lookAgain` tells that this may have changed. Default: all can run.
   */
  async take(signal: AbortSignal, canRun: (job: Job) => boolean = () => true): Promise<Lease | undefined> {
    while (!signal.aborted) {
      const next = this.inOrder().find(({ stored }) => canRun(stored.job));
      if (next && isHopeless(next.stored)) {
        const message = `The page ended ${next.stored.job.attempts} times while this job ran. Perhaps it needs more memory than there is.`;
        await this.change(next, "failed", { error: { code: "memory", message } });
      } else if (next) {
        await this.change(next, "running");
        this.tellPositions();
        return this.lease(next);
      } else {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    }
    return undefined;
  }

  /** Lets `take` see again which jobs can run. */
  lookAgain(): void {
    this.wake();
  }

  /** Waits until everything is stored that can be. */
  async settled(): Promise<void> {
    await this.saving.catch(() => undefined);
  }

  private lease(entry: Entry): Lease {
    const { job } = entry.stored;
    const isHeld = (): boolean => entry.stored.job.state === "running" && this.entries.get(job.id) === entry;
    const end = async (state: JobState, more: Partial<Pick<Job, "result" | "error">>): Promise<boolean> => {
      if (!isHeld()) return false;
      await this.change(entry, state, more);
      return true;
    };
    return {
      job,
      attempt: job.attempts,
      signal: entry.stop.signal,
      report: async (event) => {
        if (!isHeld()) return;
        const { fruitless } = entry.stored;
        if (
          event.type === "progress" &&
          event.progress.unit === undefined &&
          event.progress.done > 0 &&
          fruitless > 0
        ) {
          entry.stored = { ...entry.stored, fruitless: 0 };
          await this.save(entry);
        }
        await this.add(entry, event);
      },
      complete: (result: JobResult) => end("done", { result }),
      fail: async (error: JobError) => void (await end("failed", { error })),
      release: async () => void (await end("queued", {})),
    };
  }

  private found(id: JobId): Entry {
    const entry = this.entries.get(id);
    if (entry) return entry;
    throw new NotFoundError("there is no such job", { where: "job", found: id });
  }

  private touched(entry: Entry): Entry {
    const used = Date.now();
    const isLong = used > entry.stored.used + USED_MS;
    entry.stored = { ...entry.stored, used };
    // If it cannot be stored, the job counts as older than it is.
    if (isLong) void this.save(entry).catch(() => undefined);
    return entry;
  }

  /** A time that is later than that of every other job, so that lists keep their order. */
  private after(now: Date): Date {
    const last = [...this.entries.values()].at(-1)?.stored.job.created;
    return last === undefined ? now : new Date(Math.max(now.getTime(), Date.parse(last) + 1));
  }

  /** Jobs that wait, the next one first: one that was interrupted, then interactive ones, then the others. */
  private inOrder(): Entry[] {
    const rank = ({ stored: { job } }: Entry): number =>
      job.attempts > 0 ? 0 : job.request.priority === "interactive" ? 1 : 2;
    return [...this.entries.values()]
      .filter(({ stored }) => stored.job.state === "queued")
      .sort((a, b) => rank(a) - rank(b));
  }

  /** The job as its person sees it, with the number of jobs before it if it waits. */
  private shown(entry: Entry): Job {
    const { job } = entry.stored;
    if (job.state !== "queued") return job;
    const isBusy = [...this.entries.values()].some(({ stored }) => stored.job.state === "running");
    return { ...job, position: this.inOrder().indexOf(entry) + Number(isBusy) };
  }

  private tellPositions(): void {
    for (const entry of this.inOrder()) {
      const { id, position = 0 } = this.shown(entry);
      for (const hear of this.hearers) hear(id, { type: "position", position });
    }
  }

  /** Changes the state of a job. */
  private async change(
    entry: Entry,
    state: JobState,
    more: Partial<Pick<Job, "result" | "error">> = {},
  ): Promise<void> {
    const { progress: _, preview: __, ...job } = entry.stored.job;
    const now = new Date().toISOString();
    const attempts = job.attempts + Number(state === "running");
    const times = {
      ...(state === "running" && { started: now }),
      ...(hasEnded(state) && { ended: now }),
    };
    const fruitless = entry.stored.fruitless + Number(state === "running");
    entry.stored = { ...entry.stored, fruitless, job: { ...job, ...times, ...more, state, attempts } };
    await this.add(entry, { type: "state", state, attempts, ...more });
  }

  /** Adds an event to a job, tells of it, and stores what is kept. */
  private async add(entry: Entry, reported: Reported | NewEvent): Promise<void> {
    const { stored } = entry;
    const { id } = stored.job;
    if (fleeting.includes(reported.type)) {
      const { type: _, ...newest } = reported as Extract<Reported, { readonly type: "progress" | "preview" }>;
      entry.stored = { ...stored, job: { ...stored.job, ...newest } };
      for (const hear of this.hearers) hear(id, reported as JobEvent);
      return;
    }
    const event = { ...reported, seq: stored.events.length + 1 } as JobEvent;
    entry.stored = { ...stored, events: [...stored.events, event] };
    await this.save(entry);
    for (const hear of this.hearers) hear(id, event);
  }

  private save(entry: Entry): Promise<void> {
    const saved = this.saving
      .catch(() => undefined)
      .then(() => {
        const { progress: _, preview: __, ...job } = entry.stored.job;
        return this.store.save({ ...entry.stored, job });
      });
    this.saving = saved;
    saved.catch(() => undefined);
    return saved;
  }
}
