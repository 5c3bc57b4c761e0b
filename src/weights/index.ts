// Model files: safetensors, diffusers folders, single-file checkpoints, and the names of their weights.
// Uses: core, and bytes behind ByteSource and Folder.
// Does not know: disks and networks, graphs, what the weights compute.
export {
  type CheckOptions,
  checkAllWeights,
  checkWeights,
  unusedWeightsWarning,
  type WeightsToCheck,
} from "./check.ts";
export type { Checkpoint, TokenizerFiles } from "./checkpoint.ts";
export {
  type Component,
  type ComponentName,
  type Config,
  chooseWeights,
  componentNames,
  variantOfEach,
  weightStems,
} from "./component.ts";
export { checkPipeline, type OpenOptions } from "./diffusers.ts";
export { type Dtype, dtypeBytes, type FloatDtype, floatDtypes, isFloatDtype, toFloat32 } from "./dtype.ts";
export { type EditingDefaults, type MethodDefaults, parseEditing, settingRanges } from "./editing.ts";
export { encodeSafetensors, encodeSafetensorsHead, type TensorData, type TensorHead } from "./encode.ts";
export { isObject, parseJson, readJsonObject } from "./json.ts";
export { type KnownWords, parseKnownWords } from "./knownWords.ts";
export { isLegacyTorch, readLegacyTorch } from "./legacyTorch.ts";
export { isClipFolder, type ModelFolder, openCheckpoint, openModelFolder } from "./open.ts";
export { readSafetensors, type Safetensors } from "./safetensors.ts";
export {
  type BetaSchedule,
  type Prediction,
  parseScheduler,
  predictions,
  type SchedulerConfig,
  type TimestepSpacing,
} from "./scheduler.ts";
export { snapshotOf } from "./snapshot.ts";
export {
  type ByteSource,
  type Folder,
  type FolderEntry,
  filesOf,
  memorySource,
  readWhole,
  subfolder,
} from "./source.ts";
export { readBytes, readInts, readTensor, reshaped, type TensorRef, viewRows, type WeightSet } from "./tensor-ref.ts";
