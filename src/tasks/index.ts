// One edit, sweep or comparison as a stream of events: settings, progress, previews, warnings, results.
// Knows of: every layer above it. Photos, caches and files are in node/.
// Does not know of: terminals, HTTP.
export { attentionSheet } from "./attentionSheet.ts";
export {
  type ChosenOptions,
  type ComparedEdit,
  type CompareEvent,
  comparisonSheet,
  type FailedEdit,
  isMade,
  type LeftOut,
  type MadeEdit,
  methodsToCompare,
  splitOptions,
} from "./compare.ts";
export { type Cost, type Costs, measured, noCost } from "./cost.ts";
export { type Estimate, estimateText, timeText } from "./estimate.ts";
export { type Emit, stream, type TaskEvent, type TaskResult, timed } from "./event.ts";
export {
  type EditRecord,
  type Maker,
  recordedSettings,
  recordSchema,
  type SettingValues,
  type StrengthRecord,
  settingsOf,
} from "./record.ts";
export { type Points, sweepPointsOf } from "./sweepPoints.ts";
export { dB, enlargedPhoto, idleOptions, qualityWarnings, unusedCaption } from "./warnings.ts";
