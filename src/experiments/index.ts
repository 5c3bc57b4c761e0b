// Experiments: sets of cases, the paper's tables and figures as functions of a run's log, reports, ratings.
// Uses: every layer above it. Running them is in node/.
// Does not know: servers, terminals.
export type { Case, CasePictures, CaseSet } from "./cases/case.ts";
export { type Choice, chosen, kindsOf } from "./cases/chosen.ts";
export { editionOf, type MenagerieSet, menagerieCases, menagerieSets } from "./cases/menagerie.ts";
export {
  type ConvergenceOptions,
  convergenceOf,
  hasFailed,
  type LossPoint,
  lossCurve,
} from "./convergence/convergence.ts";
export {
  type InversionTrace,
  type OptimiserChoice,
  type TracedStep,
  type TraceOptions,
  type TraceWork,
  type TunedInversion,
  traceInversion,
  tunedInversions,
} from "./convergence/trace.ts";
export { experiments } from "./paper/index.ts";
export {
  type RatingResults,
  raterSchema,
  ratingBlocks,
  ratingResults,
  type Study,
  studySchema,
} from "./rating/index.ts";
export { type ChangedFigure, type ChangedText, compareReports, type ReportDiff } from "./report/diff.ts";
export { diffBlocks } from "./report/diffBlocks.ts";
export { figureLine, figureParts } from "./report/figureParts.ts";
export { parseReport, reportJson } from "./report/json.ts";
export type {
  Block,
  Chart,
  EditValues,
  Figure,
  Gallery,
  GalleryRow,
  Paragraph,
  Point,
  Report,
  ReportValues,
  Row,
  Section,
  Series,
  Shown,
  Table,
} from "./report/report.ts";
export type { RunEvent } from "./run/event.ts";
export { chosenFrom, type ScoredStrip, type ScorerName, type StripPoint, stripReport } from "./strip.ts";
export { type TruthScore, truthScores } from "./truthScore.ts";
