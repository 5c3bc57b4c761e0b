// Names of the engine's public face that Node and a browser share.
export {
  BaretError,
  CancelledError,
  combine,
  type IntTensor,
  lerp,
  meanSquaredError,
  noise,
  type Picture,
  type Progress,
  ResidentError,
  row,
  rows,
  stack,
  type Tensor,
  tensor,
  UsageError,
  unstack,
  type Warning,
  type Work,
} from "./core/index.ts";
export {
  alphasCumprod,
  applyStep,
  denoiseCoefficients,
  type Embedding,
  guide,
  invertCoefficients,
  type KeyMask,
  type MapMix,
  Model,
  openPredictor,
  Predictor,
  type Routing,
  type Row,
  type Sampling,
  type Schedule,
  type Size,
  type Sources,
  type StepCoefficients,
  sample,
  type Taken,
} from "./diffusion/index.ts";
/** Sampling with your own attention routing and hooks: docs/attention.md. */
export {
  type Attention,
  type AttentionSource,
  conditional,
  guidedBy,
  type Hooks,
  type LockStep,
  type LockStepResult,
  type LockStepWork,
  type Observation,
  type Process,
  runLockStep,
  type StepState,
  type Term,
  unconditional,
} from "./editing/index.ts";
/** Building graphs: operations, reverse mode, the ONNX compiler. */
export * as graph from "./graph/index.ts";
export {
  ddimInversion,
  type InversionPrompt,
  type InversionWork,
  type LossAndGradient,
  openReconstructionLoss,
  ReconstructionLoss,
  type Step,
} from "./inversion/index.ts";
/** Metrics of edits: docs/metrics.md. */
export type { Metric, MetricFacts, MetricInput, Need } from "./metrics/index.ts";
/** The networks as functions from their config to a graph. */
export * as models from "./models/index.ts";
export {
  type Device,
  type Engine,
  type EngineOptions,
  estimateMemory,
  type Feeds,
  type LoadGraphOptions,
  type LoadOptions,
  loadGraph,
  type MappedWeights,
  type MemoryEstimate,
  type RunOptions,
  type Session,
} from "./runtime/index.ts";
export { type Checkpoint, openCheckpoint, readSafetensors, readTensor, type TensorRef } from "./weights/index.ts";
