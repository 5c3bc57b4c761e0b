// Processes that hold a model and run jobs, one at a time: edits, comparisons, sweeps, attention.
// Knows of: tasks and every layer above it, child processes.
// Does not know of: queues, blobs, HTTP.
export type { MadeFile, NeededPreparation, RunnerEngine, RunnerEvent, RunnerModel, RunnerResult } from "./messages.ts";
export type { Outcome, RunnerWork } from "./runner.ts";
export { Runners, type RunnersOptions } from "./runners.ts";
