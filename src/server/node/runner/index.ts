// Processes that hold a model and run jobs, one at a time.
// Knows of: what runs a job, child processes.
// Does not know of: queues, blobs, HTTP.
export type { RunnerModel } from "./messages.ts";
export type { Outcome, RunnerWork } from "./runner.ts";
export { Runners, type RunnersOptions } from "./runners.ts";
