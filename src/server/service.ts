import type { BlobId, Capabilities, Inversion, Job, JobEvent, JobId, JobRequest, StoredPhoto } from "./api/index.ts";
import type { OpenedBlob } from "./blobs.ts";
import type { JobFilter, QueueStats } from "./queue.ts";

/** A stored picture as a PNG file that is read piece by piece: its size is told before, and any part of it can be asked for. */
export type OpenedPicture = OpenedBlob;

/**
 * Functions of the server that all of its APIs use: the native one, OpenAI's and AUTOMATIC1111's. client: who asks. Errors are typed: UsageError
 * (RequestError if fields are wrong), ImageError, NotFoundError, ConflictError, BusyError, NotReadyError.
 */
export interface Service {
  capabilities(): Promise<Capabilities>;
  /** Decodes a photo within the limits, turns it upright and stores it as PNG. */
  addPhoto(bytes: Uint8Array): Promise<StoredPhoto>;
  /**
   * Checks a request whole, all problems at once, and queues it. waits: the client wants the job only as long as it has a
   * connection that waits for it; see `leave`.
   */
  submit(
    request: JobRequest,
    client: string,
    options?: { readonly waits?: boolean },
  ): Promise<{ readonly job: Job; readonly isNew: boolean }>;
  job(id: JobId): Promise<Job>;
  jobs(filter: JobFilter): Promise<readonly Job[]>;
  cancel(id: JobId, client: string): Promise<Job>;
  /** Does as `cancel` if the client has asked for the job only in requests that wait for it, else nothing. */
  leave(id: JobId, client: string): Promise<void>;
  /** Takes an ended job off the client's list. Throws ConflictError if it has not ended. */
  remove(id: JobId, client: string): Promise<void>;
  events(id: JobId, options: { readonly after?: number; readonly signal: AbortSignal }): AsyncIterable<JobEvent>;
  /** Returns a stored picture as PNG; or, if `side` is given, a copy as WebP with at most `side` pixels along each side. */
  picture(id: BlobId, side?: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Returns a stored picture that may be larger than the memory. */
  openPicture(id: BlobId): Promise<OpenedPicture>;
  inversions(): Promise<readonly Inversion[]>;
  stats(): Promise<QueueStats>;
}
