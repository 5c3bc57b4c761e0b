export { type EstimateOptions, estimateMemory, type MemoryEstimate } from "./estimate.ts";
export { compileInTurns, type LoadGraphOptions, loadGraph, type MappedWeights, mapWeights } from "./loadGraph.ts";
export { mostThreads, physicalCores } from "./machine.ts";
export { availableMemory, checkMemory, type ProcessMemory, processTreeMemory } from "./memory.ts";
export { startEngine } from "./nodeEngine.ts";
export { fileSource } from "./weightFiles.ts";
