/** One step of long work, as it is reported to a progress bar or a log. */
export interface Progress {
  /** What is being done, in the words of the user: "invert", "edit", "render". */
  phase: string;
  /** Steps finished, or bytes where `unit` says so. */
  done: number;
  /** Steps or bytes in all. */
  total: number;
  unit?: "bytes";
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
