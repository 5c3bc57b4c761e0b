import type { Job, JobEvent, JobId } from "../api/index.ts";

/** A job as it is kept between visits, with the events that are kept. */
export interface StoredJob {
  readonly job: Job;
  /** Jobs of equal keys have equal results. */
  readonly key: string;
  readonly events: readonly JobEvent[];
  /** When it was last asked for, in milliseconds since 1970. */
  readonly used: number;
  /** Attempts since it last got further. */
  readonly fruitless: number;
}

/** Keeps jobs between visits. A job is written whole or not at all. */
export interface JobStore {
  all(): Promise<readonly StoredJob[]>;
  /** Throws StorageError if there is no room. */
  save(stored: StoredJob): Promise<void>;
  delete(id: JobId): Promise<void>;
}
