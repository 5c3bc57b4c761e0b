import type { Progress } from "../../core/index.ts";

/** Event of a run. */
export type RunEvent =
  /** One more step of a job. */
  | ({ readonly type: "progress"; readonly case: string; readonly what: string } & Progress)
  /** A job is finished, has failed, or was found in the log. */
  | {
      readonly type: "finished";
      readonly case: string;
      readonly what: string;
      /** Absent if it was found in the log. */
      readonly seconds?: number;
      readonly done: number;
      readonly total: number;
      /** Absent before the first job that takes time. */
      readonly secondsLeft?: number;
    }
  /** A job has failed. */
  | { readonly type: "failed"; readonly case: string; readonly what: string; readonly error: Error };
