/** One step of long work, as it is reported to a progress bar or a log. */
export interface Progress {
  /** What is being done, in the words of the user: "invert", "edit", "render". */
  phase: string;
  /** Steps finished. */
  done: number;
  /** Steps in all. */
  total: number;
  /** The loss of this step, where the phase has one. */
  loss?: number;
  /** A few words about this step. */
  note?: string;
}

/** What every long function takes: where to report, and how it is told to stop. */
export interface Work {
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}
