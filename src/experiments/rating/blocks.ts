import { counted } from "../../core/index.ts";
import type { Block, Chart, Figure, Row, Table } from "../report/report.ts";
import type { Measured } from "./measured.ts";
import type { PairResults, RatingResults, ScoreResults } from "./results.ts";

const figure = (measured: Measured, digits = 2): Figure => ({ ...measured, digits });
const percent = (share: number | undefined, n: number): Figure => ({
  value: share === undefined ? undefined : 100 * share,
  n,
  digits: 0,
  unit: "%",
});
const percentMeasured = ({ value, low, high, n }: Measured): Figure => ({
  ...percent(value, n),
  ...(low !== undefined && high !== undefined && { low: 100 * low, high: 100 * high }),
});

const asked = ({ answers, raters, cases }: ScoreResults | PairResults, what: string): string =>
  `${counted(answers, what)} by ${counted(raters, "rater")} on ${counted(cases, "photo")}`;

/** Returns a bar for each method. */
function barChart(caption: string, label: string, bars: readonly { method: string; measured: Measured }[]): Chart {
  const points = bars.flatMap(({ measured: { value, ...rest } }, x) =>
    value === undefined ? [] : [{ x, y: value, ...rest }],
  );
  return {
    type: "chart",
    caption,
    mark: "bar",
    x: { label: "method", ticks: bars.map(({ method }) => method) },
    y: { label },
    series: [{ name: label, points }],
  };
}

/** Returns a table of agreement: raters with each other, with themselves, and with each metric. */
function agreementTable(caption: string, { alpha, consistency, metrics }: ScoreResults | PairResults): Table {
  const rows: Row[] = [
    { cells: ["raters with each other", "Krippendorff's α", figure(alpha)] },
    { cells: ["raters with themselves", "equal answers to repeated questions", percentMeasured(consistency.equal)] },
    ...(consistency.near
      ? [{ cells: ["raters with themselves", "repeated scores at most 1 apart", percentMeasured(consistency.near)] }]
      : []),
    ...metrics.map(({ metric, tau }) => ({
      cells: [`raters with ${metric}`, "Kendall's τ-b within photos", figure(tau)],
    })),
  ];
  return {
    type: "table",
    caption: `${caption} n is the number of photos, or of repeated questions.`,
    columns: ["agreement of", "measure", "value"],
    rows,
  };
}

function scoreBlocks(score: ScoreResults): Block[] {
  return [
    barChart(
      `Mean scores, 1 to 5: ${asked(score, "answer")}. Intervals are over photos.`,
      "mean score",
      score.methods.map(({ method, overCases }) => ({ method, measured: overCases })),
    ),
    {
      type: "table",
      caption: "Mean scores, 1 to 5. The two intervals say what other photos, and what other raters, would change.",
      columns: ["method", "over photos", "over raters", "answers"],
      rows: score.methods.map(({ method, overCases, overRaters, answers }) => ({
        method,
        cells: [method, figure(overCases), figure(overRaters), `${answers}`],
      })),
    },
    agreementTable("Agreement about scores.", score),
  ];
}

function pairBlocks(pairs: PairResults): Block[] {
  const neither = pairs.ties.toFixed(2);
  return [
    barChart(
      `Strengths of methods in comparisons of two edits: ${asked(pairs, "answer")}. Intervals are over photos.`,
      "log strength",
      pairs.methods.map(({ method, strength }) => ({ method, measured: strength })),
    ),
    {
      type: "table",
      caption: `Comparisons of two edits: strengths by the Bradley-Terry model with ties (Davidson 1970; ν ${neither}), as natural logarithms with mean 0. "Both are bad" counts as a tie there, and is counted by itself.`,
      columns: ["method", "strength", "won, ties half", "both bad"],
      rows: pairs.methods.map(({ method, strength, won, bad, comparisons }) => ({
        method,
        cells: [method, figure(strength), percent(won, comparisons), percent(bad, comparisons)],
      })),
    },
    agreementTable("Agreement about comparisons.", pairs),
  ];
}

/** Returns what a report shows of a study: charts and tables of scores, of comparisons, and of agreement. */
export function ratingBlocks({ raters, score, pairs, outdated, broken }: RatingResults): Block[] {
  const reasons = [
    outdated > 0 && `${counted(outdated, "answer")} about pictures that were made anew since`,
    broken > 0 && `${counted(broken, "line")} that could not be read`,
  ].filter((text) => text !== false);
  const left = reasons.length > 0 ? ` Left out: ${reasons.join(", ")}.` : "";
  if (!score && !pairs) return [{ type: "text", text: `Nobody has rated these edits yet.${left}` }];
  return [
    {
      type: "text",
      text: `Raters: ${raters.join(", ")}. They saw photo, prompt and edits without the names of the methods, in random order.${left}`,
    },
    ...(score ? scoreBlocks(score) : []),
    ...(pairs ? pairBlocks(pairs) : []),
  ];
}
