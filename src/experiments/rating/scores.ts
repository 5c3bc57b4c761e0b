import { average } from "../../metrics/index.ts";
import { groupBy } from "../groups.ts";
import { raterAgreement } from "./agreement.ts";
import type { ByRater, ScoreAnswer } from "./answers.ts";
import { type Measured, measureMean } from "./measured.ts";

export type Scored = ByRater<ScoreAnswer>;

/** Mean scores of a method. */
export interface MethodScores {
  readonly method: string;
  readonly answers: number;
  /** Mean of the cases' means. Its interval says what other photos would change. */
  readonly overCases: Measured;
  /** Mean of the raters' means. Its interval says what other raters would change. */
  readonly overRaters: Measured;
}

export const meanScore = (answers: readonly Scored[]): number => average(answers.map(({ score }) => score))!;

export function methodScores(method: string, all: readonly Scored[]): MethodScores {
  const answers = all.filter(({ edit }) => edit.method === method);
  const over = (textOf: (answer: Scored) => string): Measured =>
    measureMean([...groupBy(answers, textOf).values()].map(meanScore));
  return {
    method,
    answers: answers.length,
    overCases: over((answer) => answer.case),
    overRaters: over(({ rater }) => rater),
  };
}

/** Measures the agreement of raters about the same edits. Scores have an order. */
export const scoreAgreement = (answers: readonly Scored[]): Measured =>
  raterAgreement(
    answers.map((answer) => ({ case: answer.case, unit: answer.edit.method, value: answer.score - 1 })),
    5,
    "ordinal",
  );
