/** A job is queued, running, or ended in one of three ways. */
export const jobStates = ["queued", "running", "done", "failed", "cancelled"] as const;

export type JobState = (typeof jobStates)[number];

/** Tells if a job has ended. */
export const hasEnded = (state: JobState): boolean => state !== "queued" && state !== "running";
