import { average } from "../../metrics/index.ts";
import { groupBy } from "../groups.ts";
import { kendallTauB } from "./kendall.ts";
import { type Measured, measureOver } from "./measured.ts";
import { type Compared, type Preference, preferenceOf } from "./preferences.ts";
import { meanScore, type Scored } from "./scores.ts";
import type { StudyMetric } from "./study.ts";

/** Agreement of raters with a metric about which of two edits of a photo is better: Kendall's τ-b, 1 if they always agree. */
export interface MetricAgreement {
  readonly metric: string;
  readonly tau: Measured;
}

/** Raters' preference for the first of two methods in a case. Only the sign counts. */
interface Verdict {
  readonly case: string;
  readonly first: string;
  readonly second: string;
  readonly preference: number;
}

/** Compares the mean scores of every two edits of a photo. */
export const verdictsOfScores = (answers: readonly Scored[]): Verdict[] =>
  [...groupBy(answers, (answer) => answer.case)].flatMap(([name, own]) => {
    const means = [...groupBy(own, ({ edit }) => edit.method)].map(
      ([method, some]) => [method, meanScore(some)] as const,
    );
    return means.flatMap(([first, a], i) =>
      means.slice(i + 1).map(([second, b]) => ({ case: name, first, second, preference: a - b })),
    );
  });

const signs: Readonly<Record<Preference["preferred"], number>> = { first: 1, second: -1, tie: 0, bad: 0 };

/** Counts preferences for every pair of edits of a photo. */
export function verdictsOfPairs(answers: readonly Compared[]): Verdict[] {
  const known = answers.map((answer) => ({ case: answer.case, ...preferenceOf(answer) }));
  const pairs = groupBy(known, (one) => JSON.stringify([one.case, one.first, one.second]));
  return [...pairs.values()].map((own) => ({
    ...own[0],
    preference: average(own.map(({ preferred }) => signs[preferred]))!,
  }));
}

/** Compares raters with one metric, within each photo. The interval resamples the cases. */
export function metricAgreement({ name, better, values }: StudyMetric, verdicts: readonly Verdict[]): MetricAgreement {
  const sign = better === "higher" ? 1 : -1;
  const compared = verdicts.flatMap((verdict) => {
    const [a, b] = [values[verdict.case]?.[verdict.first], values[verdict.case]?.[verdict.second]];
    if (typeof a !== "number" || typeof b !== "number") return [];
    return [{ case: verdict.case, first: verdict.preference, second: sign * (a - b) }];
  });
  const cases = [...groupBy(compared, (one) => one.case).values()];
  return { metric: name, tau: measureOver(cases, (some) => [kendallTauB(some.flat())])[0] };
}
