// Diffusion with a loaded checkpoint: the model as one value, noise schedules, guidance, sampling, what work with it takes.
// Loading by a name or a path is in node/, in a browser in web/.
// Uses: every layer above it, models included.
// Does not know: inversion and editing.
export type { Size } from "../core/index.ts";
export type { AdamValues, Arithmetic, Move, OpenArithmetic, Value } from "./arithmetic.ts";
export { openArithmeticHere } from "./arithmetic.ts";
export { atLeastTwo } from "./batch.ts";
export { type DryRun, type DryRunPlace, type DryRunWork, dryRun, speedProbe, zeroWeights } from "./dryRun.ts";
export { type OpenModelOptions, openModel } from "./loader.ts";
export { aModel, type Embedding, type LatentShapes, Model } from "./model.ts";
export { checkpointHash, modelHash } from "./modelHash.ts";
export type { Network } from "./networks.ts";
export type { PhotoFile, Platform } from "./platform.ts";
export {
  aTimestep,
  type KeyMask,
  type MapMix,
  type NoisePrediction,
  openPredictor,
  type PredictedValues,
  Predictor,
  type Routing,
  type Row,
  type Sources,
  type Taken,
  type ValueRow,
} from "./predictor.ts";
export type { Computed } from "./programs.ts";
export { cutPrompt, promptWarnings, unknownWordsWarning } from "./promptWarnings.ts";
export {
  batchOf,
  type Generated,
  type GenerateOptions,
  type GenerateWork,
  generate,
  requirePictures,
  type Sampling,
  sample,
} from "./sample.ts";
export * from "./schedule.ts";
