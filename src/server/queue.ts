import type {
  BlobId,
  Inversion,
  Job,
  JobError,
  JobEvent,
  JobId,
  JobQuery,
  JobRequest,
  JobResult,
} from "./api/index.ts";

/** Events without their numbers: the queue numbers those that are kept. */
export type NewEvent = JobEvent extends infer E ? (E extends { seq: number } ? Omit<E, "seq"> : E) : never;

/** Events that a worker reports. The queue makes those of states and positions itself. */
export type Reported = Exclude<NewEvent, { type: "state" | "position" }>;

export interface NewJob {
  readonly request: JobRequest;
  /**
   * Hash of everything that the result depends on: photo, settings, model, version, device. Jobs of equal keys share one run.
   */
  readonly key: string;
  /** SHA-256 of the model: a worker takes jobs of models that it can load. */
  readonly model: string;
  /** Who asks, for fairness, limits and lists. */
  readonly client: string;
  /** The client wants the job only as long as it has a connection that waits for it: see `leave`. */
  readonly waits?: boolean;
}

/** Which jobs to list, newest first. */
export interface JobFilter extends JobQuery {
  readonly client?: string;
}

/** A preparation in the store, finished or not. `blob`: the file of the prepared photo. */
export interface StoredPreparation extends Inversion {
  readonly blob: BlobId;
}

/** A worker's hold on a job. It renews itself. If it is lost, `signal` aborts, and what the worker says later is ignored. */
export interface Lease {
  readonly job: Job;
  readonly attempt: number;
  /** Aborts if the job is cancelled or the lease is lost. Its reason says which: "cancelled" or "lost". */
  readonly signal: AbortSignal;
  /** Reports an event. Progress and previews may be dropped: at most two a second reach the queue. */
  report(event: Reported): Promise<void>;
  /** Ends the job. Every blob of the result must be stored before. Returns false if the lease was lost. */
  complete(result: JobResult): Promise<boolean>;
  /**
   * Ends the attempt. retry: the fault was the machine's, so another attempt may succeed. The job fails if too many attempts in a
   * row got no further.
   */
  fail(error: JobError, options: { readonly retry: boolean }): Promise<void>;
  /** Returns the job to the queue, as a worker that stops does. The attempt does not count. */
  release(): Promise<void>;
}

/** A worker's hold on a job of a queue that stores preparations. */
export interface WorkerLease extends Lease {
  /**
   * Stores the steps of a preparation, unless there are more of it. If there were fewer before, the job got further: its failed
   * attempts count no more, nor does this one if it fails.
   */
  savePreparation(preparation: StoredPreparation): Promise<void>;
}

/** Facts for `/metrics` and for limits. */
export interface QueueStats {
  readonly queued: number;
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly workers: number;
}

/**
 * A queue of jobs that many processes may share. Delivery is at least once; a result is stored exactly once. A job that a
 * client has been told of is never lost.
 */
export interface JobQueue {
  /**
   * Adds a job, or attaches the client to the queued, running or finished one with the same key. Throws BusyError if the
   * client, or all clients, have too many queued jobs.
   */
  submit(job: NewJob): Promise<{ readonly job: Job; readonly isNew: boolean }>;
  get(id: JobId): Promise<Job | undefined>;
  list(filter?: JobFilter): Promise<readonly Job[]>;
  /** Takes the client's interest in a job back. The job stops if no other client wants it. Returns its state. */
  cancel(id: JobId, client: string): Promise<Job | undefined>;
  /** Does as `cancel` if the client has asked for the job only in requests that wait for it (`NewJob.waits`), else nothing. */
  leave(id: JobId, client: string): Promise<void>;
  /**
   * Takes an ended job off the client's list, and forgets it if no other client has it. Its blobs stay until the next
   * `retain`. Returns false if the client has no such job, or if it has not ended.
   */
  remove(id: JobId, client: string): Promise<boolean>;
  /** Yields the events of a job from `after` on, then new ones, until it has ended or `signal` aborts. */
  events(id: JobId, options?: { readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<JobEvent>;

  /** Waits for a job of one of the models (SHA-256). Returns undefined if `signal` aborts. */
  take(models: readonly string[], worker: string, signal: AbortSignal): Promise<WorkerLease | undefined>;

  /** Preparations, by the SHA-256 of the text of `keyOf` in src/editing/prepare.ts. */
  findPreparation(key: string): Promise<StoredPreparation | undefined>;
  preparations(): Promise<readonly StoredPreparation[]>;

  /** Forgets ended jobs beyond the limits of retention, and returns all blobs that are still named by something. */
  retain(limits: { readonly jobs: number; readonly days: number }): Promise<ReadonlySet<BlobId>>;
  stats(): Promise<QueueStats>;
  close(): Promise<void>;
}
