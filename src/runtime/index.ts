// Running compiled graphs on a device: the engine's interface, its inputs, memory estimates. What needs Node is in node/.
// Knows: core, graph (programs), weights (their places).
// Does not know: models, what a program computes.
export { automaticPrecision, type ChosenPrecision } from "./choosePrecision.ts";
export { deviceAdvice, missingDeviceAdvice } from "./deviceAdvice.ts";
export {
  addEffort,
  type Effort,
  effortOf,
  type Kind,
  measureSpeed,
  noEffort,
  type Probe,
  type Speed,
  secondsOf,
} from "./effort.ts";
export * from "./engine.ts";
export { type EstimateOptions, estimateMemory, largestValue, type MemoryEstimate } from "./estimate.ts";
export { batchOfFeeds, checkFeeds } from "./feeds.ts";
export { plainForm } from "./form.ts";
export { loadHalf } from "./halfSession.ts";
export { compileInTurns, type LoadGraphOptions, loadGraph } from "./loadGraph.ts";
export type { MappedWeights } from "./mappedWeights.ts";
export { networkPiece, type PieceSize, type WeightOf } from "./networkPiece.ts";
export { fixedWeights, normal, ones, pieceOfUNet, type SampleGraph, zeros } from "./sampleGraphs.ts";
