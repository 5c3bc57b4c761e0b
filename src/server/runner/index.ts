// Runs jobs with a loaded model: edits, comparisons, sweeps, attention. The same code on a server and in a page.
// Knows of: tasks and every layer above them.
// Does not know of: processes, queues, blobs, HTTP, where files lie.
export type { JobPlace, PngFacts } from "./place.ts";
export { Reports, type ReportsTo } from "./reports.ts";
export type { MadeFile, NeededPreparation, RunnerEvent, RunnerResult } from "./result.ts";
export { runJob } from "./runJob.ts";
export { type JobWork, withoutFolder } from "./work.ts";
