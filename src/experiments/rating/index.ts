// Rating of edits by people: what is asked in which order, what the answers mean, and what follows from them.
// Uses: core, metrics (bootstrap intervals), the report's blocks.
// Does not know: files, the server, who made the edits.
export {
  type Answer,
  answersTo,
  type Choice,
  choiceSchema,
  choices,
  type Mode,
  modes,
  type RaterFile,
  raterSchema,
  readAnswers,
  scoreSchema,
} from "./answers.ts";
export { ratingBlocks } from "./blocks.ts";
export { answerKey, planQuestions, type Question } from "./questions.ts";
export { type RatingResults, ratingResults } from "./results.ts";
export type { ShownError, ShownQuestion, ShownState, Totals } from "./shown.ts";
export { type Study, studySchema } from "./study.ts";
