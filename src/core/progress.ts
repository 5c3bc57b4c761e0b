/** Progress of long work, for a progress bar or a log. */
export interface Progress {
  /** The work as the user calls it: "invert", "edit", "render". */
  phase: string;
  /** Finished steps, or bytes if `unit` says so. */
  done: number;
  /** Steps or bytes in all. */
  total: number;
  unit?: "bytes";
  /** The loss of this step, if the phase has one. */
  loss?: number;
  /** A few words about this step. */
  note?: string;
  /** Estimated seconds until the phase ends, if the number of finished steps does not tell it. */
  secondsLeft?: number;
}

/** Options of every long function: who hears of progress, and the signal that cancels it. */
export interface Work {
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}
