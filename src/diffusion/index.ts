// Diffusion with a loaded checkpoint: the model as one value, noise schedules, guidance, sampling. Loading is in node/.
// Uses: every layer above it, models included.
// Does not know: inversion and editing.
export type { Size } from "../core/index.ts";
export { atLeastTwo } from "./batch.ts";
export { aModel, type Embedding, type LatentShapes, Model } from "./model.ts";
export type { Network } from "./networks.ts";
export {
  aTimestep,
  type KeyMask,
  type MapMix,
  type NoisePrediction,
  openPredictor,
  Predictor,
  type Routing,
  type Row,
  type Sources,
  type Taken,
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
