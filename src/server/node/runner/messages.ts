import type { EngineChoice } from "../../../runtime/index.ts";
import type { BlobId, JobError, JobRequest } from "../../api/index.ts";
import type { NeededPreparation, RunnerEvent, RunnerResult } from "../../runner/index.ts";

/** A model that a runner can load. */
export interface RunnerModel {
  /** Its name for clients and in records: no path of this machine. */
  readonly name: string;
  /** Name or path that loadModel takes. */
  readonly load: string;
  readonly sha256: string;
  /** Bytes of one edit at its usual size. Absent: unknown. */
  readonly memory?: number;
}

/** One job of a runner. Paths are of this machine. */
export interface RunnerJob {
  readonly request: JobRequest;
  /** Paths of the photo and of other pictures, by their ids. */
  readonly pictures: Readonly<Record<BlobId, string>>;
  /** Folder for what the job makes. */
  readonly folder: string;
  /** Shortest time between two writes of the file of an unfinished preparation. */
  readonly stepsEveryMs: number;
}

/** Messages of the server's process to a runner. */
export type ToRunner =
  | { readonly kind: "load"; readonly model: RunnerModel; readonly engine: EngineChoice }
  | { readonly kind: "run"; readonly job: RunnerJob }
  /** The file of a needed preparation is there, if the store has one. */
  | { readonly kind: "fetched"; readonly key: string }
  | { readonly kind: "cancel" };

/** Messages of a runner to the server's process. */
export type FromRunner =
  | { readonly kind: "event"; readonly event: RunnerEvent }
  | { readonly kind: "needs"; readonly preparation: NeededPreparation }
  | { readonly kind: "done"; readonly result: RunnerResult }
  | { readonly kind: "failed"; readonly error: JobError }
  | { readonly kind: "cancelled" };
