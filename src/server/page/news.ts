import type { JobEvent, JobId } from "../api/index.ts";

/** What the service tells without being asked. */
export type News =
  | { readonly news: "event"; readonly job: JobId; readonly event: JobEvent }
  /** isHere: this tab computes. Otherwise another tab does, and this one shows the same jobs. */
  | { readonly news: "place"; readonly isHere: boolean }
  | DownloadNews;

/** How much of the models' files has arrived, in bytes. */
export interface DownloadNews {
  readonly news: "download";
  readonly done: number;
  readonly total: number;
  /** Why it has stopped, if it has. */
  readonly problem?: string;
}
