// Descriptions of the models that a server offers, without holding a model.
// Knows of: models on this disk, child processes.
// Does not know of: HTTP, queues.
export { describeModels, runnerModels } from "./describe.ts";
