import { type Answer, answersTo, type ByRater, type RaterFile } from "./answers.ts";
import { type Consistency, selfConsistency } from "./consistency.ts";
import type { Measured } from "./measured.ts";
import { type MetricAgreement, metricAgreement, verdictsOfPairs, verdictsOfScores } from "./metricAgreement.ts";
import { type Compared, methodPreferences, type Preferences, preferenceAgreement } from "./preferences.ts";
import { answerKey } from "./questions.ts";
import { type MethodScores, methodScores, type Scored, scoreAgreement } from "./scores.ts";
import { methodsOf, type Study } from "./study.ts";

/** Facts about the answers of one mode. Repeats serve `consistency` alone. */
interface ModeResults {
  /** Number of answers without repeats. */
  readonly answers: number;
  readonly raters: number;
  readonly cases: number;
  /** Krippendorff's α. */
  readonly alpha: Measured;
  readonly consistency: Consistency;
  readonly metrics: readonly MetricAgreement[];
}

export interface ScoreResults extends ModeResults {
  readonly methods: readonly MethodScores[];
}

export interface PairResults extends ModeResults, Preferences {}

/** Results of a study. */
export interface RatingResults {
  readonly raters: readonly string[];
  /** Absent if nobody scored an edit. */
  readonly score?: ScoreResults;
  /** Absent if nobody compared two edits. */
  readonly pairs?: PairResults;
  /** Number of answers about pictures that the study no longer has. */
  readonly outdated: number;
  /** Number of lines that are no answer. */
  readonly broken: number;
}

const distinct = (values: readonly string[]): number => new Set(values).size;

function counts(answers: readonly ByRater<Answer>[]): Pick<ModeResults, "answers" | "raters" | "cases"> {
  return {
    answers: answers.length,
    raters: distinct(answers.map(({ rater }) => rater)),
    cases: distinct(answers.map((answer) => answer.case)),
  };
}

function scoreResults(study: Study, all: readonly Scored[]): ScoreResults {
  const answers = all.filter(({ repeat }) => !repeat);
  const verdicts = verdictsOfScores(answers);
  return {
    ...counts(answers),
    methods: methodsOf(study).map((method) => methodScores(method, answers)),
    alpha: scoreAgreement(answers),
    consistency: selfConsistency(all),
    metrics: (study.metrics ?? []).map((metric) => metricAgreement(metric, verdicts)),
  };
}

function pairResults(study: Study, all: readonly Compared[]): PairResults {
  const answers = all.filter(({ repeat }) => !repeat);
  const verdicts = verdictsOfPairs(answers);
  return {
    ...counts(answers),
    ...methodPreferences(methodsOf(study), answers),
    alpha: preferenceAgreement(answers),
    consistency: selfConsistency(all),
    metrics: (study.metrics ?? []).map((metric) => metricAgreement(metric, verdicts)),
  };
}

/** Computes the results of a study from the raters' files, by rater. */
export function ratingResults(study: Study, files: ReadonlyMap<string, RaterFile>): RatingResults {
  const all = [...files].flatMap(([rater, { answers }]) => {
    const current = answersTo(study, answers);
    // If a question was answered twice, the later answer counts.
    const last = new Map(current.map((answer) => [answerKey(answer), answer]));
    return [...last.values()].map((answer) => ({ ...answer, rater }));
  });
  const given = [...files.values()].flatMap(({ answers }) => answers);
  const scored = all.filter((answer) => answer.mode === "score");
  const compared = all.filter((answer) => answer.mode === "pairs");
  return {
    raters: [...files].filter(([, { answers }]) => answers.length > 0).map(([rater]) => rater),
    ...(scored.length > 0 && { score: scoreResults(study, scored) }),
    ...(compared.length > 0 && { pairs: pairResults(study, compared) }),
    outdated: given.length - answersTo(study, given).length,
    broken: [...files.values()].reduce((sum, { broken }) => sum + broken, 0),
  };
}
