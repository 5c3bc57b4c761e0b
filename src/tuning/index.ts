// Fine-tuning on one photo: examples of the noise prediction and patches that they show, its loss, Adam on a text embedding or
// on all weights.
// Knows of: inversion and every layer above it.
// Does not know of: any method, its settings or its files.
export { EmbeddingLoss, openEmbeddingLoss } from "./embedding.ts";
export { drawExamples, type ExampleSource, type Examples, type View } from "./examples.ts";
export { type BoxSource, drawBoxes, patchOf } from "./patches.ts";
export {
  openWeightTuning,
  stateSets,
  type TrainingText,
  type TunableModel,
  type TunedNetwork,
  tuningStep,
  WeightTuning,
  type WeightTuningOptions,
} from "./weights.ts";
