import type {
  Capabilities,
  Job,
  JobEvent,
  JobId,
  JobQuery,
  JobRequestInput,
  StoredPhoto,
} from "../../src/server/api/index.ts";

/**
 * Where the studio's work is done: a server over HTTP, or an engine inside the page. The studio knows nothing else of either.
 * Errors are `BackendError`.
 */
export interface Backend {
  /** Where the work is done: on a server, or in this browser. */
  readonly place: "server" | "browser";
  /** Lets the person choose a model on their disk. Absent on a server, which has its models. */
  readonly chooseModel?: () => void;
  capabilities(): Promise<Capabilities>;
  addPhoto(file: Blob): Promise<StoredPhoto>;
  /** Queues a job, or returns the one with the same result. */
  submit(request: JobRequestInput): Promise<Job>;
  job(id: JobId): Promise<Job>;
  jobs(query: JobQuery): Promise<readonly Job[]>;
  cancel(id: JobId): Promise<Job>;
  cancelAll(): Promise<void>;
  /** Forgets ended jobs. Ids of no job are ignored. */
  remove(ids: readonly JobId[]): Promise<void>;
  /** Does the same while the page is being closed, when nothing can be waited for. */
  removeLeaving(ids: readonly JobId[]): void;
  /** Calls `onEvent` with the events of a job until it has ended. Goes on after a lost connection. */
  follow(id: JobId, onEvent: (event: JobEvent) => void, signal: AbortSignal): Promise<void>;
  /** URL of a stored picture, for an img: at once, or when it is read. side: longest side in pixels, for a small copy as WebP. */
  pictureUrl(id: string, side?: number): string | Promise<string>;
  /** Returns a stored picture as PNG, with the record of its settings inside. */
  picture(id: string): Promise<Blob>;
}

/** A refusal or a failure that the studio shows. */
export class BackendError extends Error {
  readonly code: string;
  /** The field that is wrong, if one is. */
  readonly where?: string;
  readonly advice?: string;
  readonly retryAfter?: number;
  /** All fields that are wrong, if several can be. */
  readonly problems: readonly { readonly field: string; readonly message: string }[];

  constructor(
    message: string,
    facts: {
      code: string;
      where?: string;
      advice?: string;
      retryAfter?: number;
      problems?: readonly { readonly field: string; readonly message: string }[];
    },
  ) {
    super(message);
    this.name = "BackendError";
    this.code = facts.code;
    this.where = facts.where;
    this.advice = facts.advice;
    this.retryAfter = facts.retryAfter;
    this.problems = facts.problems ?? [];
  }
}
