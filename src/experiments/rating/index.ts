// Rating of edits by people: what is asked in which order, what the answers mean, and what follows from them.
// Uses: core, metrics (bootstrap intervals), the report's blocks.
// Does not know: files, the page, who made the edits.
export {
  type Answer,
  type AnswerLine,
  type Choice,
  choices,
  type Mode,
  modes,
  type RaterFile,
  readAnswers,
} from "./answers.ts";
export { ratingBlocks } from "./blocks.ts";
export { type RatingResults, ratingResults } from "./results.ts";
export { type Study, studySchema } from "./study.ts";
