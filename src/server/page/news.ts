import type { JobEvent, JobId } from "../api/index.ts";

/** Messages that the service sends without being asked. */
export type News =
  | { readonly news: "event"; readonly job: JobId; readonly event: JobEvent }
  /** isHere: this tab computes. Otherwise another tab does, and this one shows the same jobs. */
  | { readonly news: "place"; readonly isHere: boolean }
  /** A model that the person chose is read, in bytes. id: as `inspectModel` returned it. */
  | { readonly news: "reading"; readonly id: string; readonly done: number; readonly total: number }
  /** There are other models than before, or one was opened. */
  | { readonly news: "models" }
  | DownloadNews;

/** How much of the models' files has arrived, in bytes. */
export interface DownloadNews {
  readonly news: "download";
  readonly done: number;
  readonly total: number;
  /** Why it has stopped, if it has. */
  readonly problem?: string;
}
