// One edit, sweep or comparison as a stream of events: settings, progress, previews, warnings, results; each method's functions
// for the library.
// Knows of: every layer above it. Files of pictures are in node/.
// Does not know of: terminals, HTTP.

export { attentionTask } from "./attention.ts";
export { attentionSheet } from "./attentionSheet.ts";
export { autoCaption, type Caption, captionsOf } from "./captions.ts";
export { openClip } from "./clip.ts";
export {
  type ChosenOptions,
  type ComparedEdit,
  type CompareEvent,
  comparisonSheet,
  everyMethod,
  type FailedEdit,
  isMade,
  type LeftOut,
  type MadeEdit,
  methodsToCompare,
  namesEveryMethod,
  splitOptions,
} from "./compare.ts";
export { type Compare, type CompareApiWork, type CompareOptions, type CompareResult, comparing } from "./compareApi.ts";
export {
  type CompareWork,
  type Comparison,
  type ComparisonInput,
  compareTask,
  planComparison,
  type WrittenPicture,
} from "./compareTask.ts";
export { type Cost, type Costs, measured, noCost } from "./cost.ts";
export {
  type EditTask,
  type EditTaskWork,
  editTask,
  planEdit,
  planPhoto,
  prepareTask,
  type RecordedTask,
  recordOf,
  settingsOfTask,
  sweepTask,
} from "./edit.ts";
export { type EditMemory, type EditMemoryOptions, editMemory } from "./editMemory.ts";
export { type Estimate, estimateText, timeText } from "./estimate.ts";
export { type AfterPreparing, dryScorer, estimateTask } from "./estimateTask.ts";
export { type Emit, stream, type TaskEvent, type TaskResult, timed } from "./event.ts";
export { makerOf } from "./maker.ts";
export { type MaskedPicture, type MaskFile, withMasks } from "./masks.ts";
export {
  type EditResult,
  type MethodApi,
  methodApiWith,
  type PreparedPhoto,
  type PrepareOptions,
} from "./methodApi.ts";
export type { ModelMemory, ModelMemoryOptions } from "./modelMemory.ts";
export {
  type FitOptions,
  finishedPicture,
  modes,
  openAll,
  openPhoto,
  type Photo,
  type PhotoInput,
  photoLike,
} from "./photo.ts";
export type { CommonPhotoOptions, PhotoOptions, StoreOptions } from "./photoOptions.ts";
export type { PhotoTask } from "./photoTask.ts";
export {
  type EditRecord,
  type Maker,
  recordedSettings,
  recordSchema,
  type SettingValues,
  type StrengthRecord,
  settingsOf,
} from "./record.ts";
export { clipScorer, editScored, requireScorer, type ScoredEditWork } from "./scorer.ts";
export { type Points, sweepPointsOf } from "./sweepPoints.ts";
export { dB, enlargedPhoto, idleOptions, qualityWarnings, unusedCaption } from "./warnings.ts";
