// Running compiled graphs on a device: the engine's interface, its inputs, memory estimates. What needs Node is in node/.
// Knows of: core, graph (what a program is), weights (where they lie), storage (caching programs).
// Does not know of: models, what a program computes.
export * from "./engine.ts";
export { type EstimateOptions, estimateMemory, type MemoryEstimate } from "./estimate.ts";
export { batchOfFeeds, checkFeeds } from "./feeds.ts";
export { compileInTurns, type LoadGraphOptions, loadGraph, type MappedWeights } from "./loadGraph.ts";
