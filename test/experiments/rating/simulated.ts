import { Random } from "../../../src/core/index.ts";
import type { Answer, Choice, RaterFile } from "../../../src/experiments/rating/answers.ts";
import { planQuestions, type Question } from "../../../src/experiments/rating/questions.ts";
import type { Study } from "../../../src/experiments/rating/study.ts";

/** A study with a file for each picture. Methods are named "a", "b", …. */
export const madeStudy = (cases: number, methods: number): Study => ({
  cases: Array.from({ length: cases }, (_, c) => ({
    case: `case-${c}`,
    kind: c % 2 === 0 ? "pose" : "colour",
    target: `target ${c}`,
    photo: `cases/case-${c}/photo.png`,
    edits: Array.from({ length: methods }, (_, m) => {
      const method = String.fromCharCode(97 + m);
      return { method, file: `edits/case-${c}/${method}-1.png` };
    }),
  })),
});

/** Answers of a rater who always prefers the earlier letter, and gives "a" 5, "b" 4, …. */
export function answerTo({ mode, case: { case: name }, edits, repeat }: Question, wanted?: number | Choice): Answer {
  const common = { case: name, repeat, time: "2026-01-01T00:00:00.000Z" };
  const [first, second] = edits.map(({ method, file }) => ({ method, file }));
  const rank = (method: string): number => method.charCodeAt(0) - 97;
  if (mode === "score") {
    return { mode, edit: first, score: typeof wanted === "number" ? wanted : 5 - rank(first.method), ...common };
  }
  const choice = rank(first.method) < rank(second.method) ? "left" : "right";
  return { mode, left: first, right: second, choice: typeof wanted === "string" ? wanted : choice, ...common };
}

/** How raters answer: strengths of the methods, how much raters and photos differ, and ν of the ties. */
export interface Simulation {
  readonly strengths: readonly number[];
  readonly raters: number;
  readonly ties: number;
  /** Standard deviation of a method's strength from photo to photo. */
  readonly byCase: number;
  readonly seed: number;
}

/** Draws comparisons by Davidson's model, and scores by rounding the strength with normal noise. */
export function simulate(study: Study, { strengths, raters, ties, byCase, seed }: Simulation): Map<string, RaterFile> {
  const random = new Random(seed);
  const lifts = new Map<string, number>();
  const strengthOf = (name: string, method: string): number => {
    const key = `${name} ${method}`;
    if (!lifts.has(key)) lifts.set(key, byCase * random.normal());
    return strengths[method.charCodeAt(0) - 97] + lifts.get(key)!;
  };
  const answer = (question: Question): Answer => {
    const [first, second] = question.edits.map(({ method }) => strengthOf(question.case.case, method));
    if (question.mode === "score") {
      return answerTo(question, Math.min(5, Math.max(1, Math.round(3 + first + 0.7 * random.normal()))));
    }
    const odds = [Math.exp(first), Math.exp(second), ties * Math.exp((first + second) / 2)];
    const at = random.between(0, odds[0] + odds[1] + odds[2]);
    return answerTo(question, at < odds[0] ? "left" : at < odds[0] + odds[1] ? "right" : "tie");
  };
  return new Map(
    Array.from({ length: raters }, (_, r) => {
      const rater = `rater-${r}`;
      const answers = (["score", "pairs"] as const).flatMap((mode) =>
        planQuestions(study, mode, { rater, seed }).map(answer),
      );
      return [rater, { answers, broken: 0 }] as const;
    }),
  );
}
