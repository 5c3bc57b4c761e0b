// Tasks that read photos and store prepared photos in files and in the cache; each method's functions for the library.
// Knows of: everything above, and Node.
// Does not know of: terminals, HTTP.
export { attentionTask } from "./attention.ts";
export { autoCaption, type Caption, captionsOf } from "./captions.ts";
export { openClip } from "./clip.ts";
export {
  type CompareWork,
  type Comparison,
  type ComparisonInput,
  compareTask,
  planComparison,
} from "./compare.ts";
export { type CompareApiWork, type CompareOptions, type CompareResult, compare } from "./compareApi.ts";
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
export { editMemory } from "./editMemory.ts";
export { type AfterPreparing, dryScorer, estimateTask } from "./estimate.ts";
export { makerOf } from "./maker.ts";
export { type MaskedPicture, type MaskFile, withMasks } from "./masks.ts";
export {
  type CommonPrepareOptions,
  type EditResult,
  type MethodApi,
  methodApi,
  type PreparedPhoto,
} from "./methodApi.ts";
export {
  type Fit,
  type FitOptions,
  finishedPicture,
  fits,
  modes,
  openAll,
  openPhoto,
  type Photo,
  type PhotoInput,
  photoLike,
} from "./photo.ts";
export type { CommonPhotoOptions } from "./photoOptions.ts";
export type { PhotoTask } from "./photoTask.ts";
export { readRecord, recordIn, type WriteOptions, writePicture } from "./picture.ts";
export { clipScorer, editScored, requireScorer, type ScoredEditWork } from "./scorer.ts";
