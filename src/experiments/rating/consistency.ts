import { wilsonInterval } from "../../metrics/index.ts";
import type { Answer, ByRater } from "./answers.ts";
import type { Measured } from "./measured.ts";
import { preferenceOf } from "./preferences.ts";
import { answerKey } from "./questions.ts";

/** Agreement of raters with themselves, from questions that came again. */
export interface Consistency {
  /** Share of the repeated questions with the same answer. */
  readonly equal: Measured;
  /** Share of them with scores at most 1 apart. Absent for pairs. */
  readonly near?: Measured;
}

/** Finds the answers to each question that a rater answered twice. */
function repeatedAnswers<A extends ByRater<Answer>>(answers: readonly A[]): [A, A][] {
  const keyOf = (answer: A, repeat: boolean): string => `${answer.rater} ${answerKey({ ...answer, repeat })}`;
  const first = new Map(answers.filter(({ repeat }) => !repeat).map((answer) => [keyOf(answer, false), answer]));
  return answers.flatMap((answer): [A, A][] => {
    const earlier = answer.repeat ? first.get(keyOf(answer, false)) : undefined;
    return earlier ? [[earlier, answer]] : [];
  });
}

function differenceOf(first: Answer, second: Answer): number {
  if (first.mode === "score" && second.mode === "score") return Math.abs(first.score - second.score);
  if (first.mode === "pairs" && second.mode === "pairs") {
    return preferenceOf(first).preferred === preferenceOf(second).preferred ? 0 : 1;
  }
  throw new Error("answers of two modes");
}

/** Compares the answers to repeated questions of one mode. */
export function selfConsistency(answers: readonly ByRater<Answer>[]): Consistency {
  const differences = repeatedAnswers(answers).map(([first, second]) => differenceOf(first, second));
  const share = (most: number): Measured => {
    const n = differences.length;
    if (n === 0) return { n };
    const { mean: value, low, high } = wilsonInterval(differences.filter((one) => one <= most).length, n);
    return { value, low, high, n };
  };
  return { equal: share(0), ...(answers.some(({ mode }) => mode === "score") && { near: share(1) }) };
}
