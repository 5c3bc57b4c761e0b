// The engine's public face, "baret/engine": for those who compute with a model themselves. A model comes from "baret".
export { type LoadModelOptions, loadModel, peakMemory } from "./diffusion/node/index.ts";
export * from "./engineNames.ts";
export { type MetricNetworks, type OpenMetrics, openMetrics } from "./metrics/node/index.ts";
export { availableMemory, type NodeEngineOptions, startEngine } from "./runtime/node/index.ts";
export { DiskCache, type FoundModel, findModel, listModels, openLocal } from "./storage/node/index.ts";
