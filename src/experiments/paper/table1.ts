import { differenceFigure, meanFigure, medianFigure } from "../report/figures.ts";
import type { Figure, Row } from "../report/report.ts";
import type { Variant } from "../run/variant.ts";
import type { Outcome, View } from "../run/view.ts";
import { agreementOf, allEdits, type Claim, claimsText, type Experiment, type Plan, variantOf } from "./experiment.ts";
import { doneMeasure, valuesOf } from "./measures.ts";
import { countText, pairedOutcomes } from "./tables.ts";

const seconds = { digits: 1, unit: "s" };
const counts = { digits: 0 };

/** Returns the share of the cases of a kind in which every requested change is done. */
function doneOf(plan: Plan, view: View, variant: Variant, kind: string): Figure | undefined {
  const measure = doneMeasure(view);
  const cases = plan.casesOf(variant).filter((one) => one.kind === kind);
  return measure && cases.length > 0 ? measure.figure(valuesOf(measure, view.outcomes(variant, cases))) : undefined;
}

const prepareSeconds = (outcomes: readonly Outcome[]): (number | undefined)[] =>
  outcomes.map(({ edit }) => edit?.costs.prepare?.seconds);

function row(plan: Plan, view: View, variant: Variant): Row {
  const outcomes = view.outcomes(variant, plan.casesOf(variant));
  const total = (part: "evaluations" | "gradients"): Figure =>
    meanFigure(
      outcomes.map(({ edit }) => edit?.costs.prepare && edit.costs.prepare[part] + edit.costs.edit[part]),
      counts,
    );
  const own = [
    medianFigure(prepareSeconds(outcomes), seconds),
    medianFigure(
      outcomes.map(({ edit }) => edit?.costs.edit.seconds),
      seconds,
    ),
    total("evaluations"),
    total("gradients"),
    ...["pose", "several"].map((kind) => doneOf(plan, view, variant, kind) ?? "–"),
  ];
  return { method: variant.name, cells: [variant.name, countText(outcomes), ...own] };
}

/** Returns the claims of the paper, each over the cases that both of its methods edited. */
function claimsOf(plan: Plan, view: View): readonly Claim[] {
  const paired = (first: string, second: string): [Outcome[], Outcome[]] | undefined => {
    const [one, other] = [first, second].map((method) => variantOf(plan, method));
    return one && other && pairedOutcomes(plan, view, one, other);
  };
  const saved = (slow: string, fast: string): Figure | undefined => {
    const pair = paired(slow, fast);
    return pair && differenceFigure(prepareSeconds(pair[0]), prepareSeconds(pair[1]), seconds);
  };
  const done = doneMeasure(view);
  const [ours, theirs] = (paired("baret", "null-text") ?? []).map((outcomes) =>
    outcomes.filter((outcome) => outcome.case.kind === "pose"),
  );
  return [
    ["BARET inverts faster than null-text inversion", saved("null-text", "baret")],
    ["null-text inversion is faster than SINE's tuning", saved("sine", "null-text")],
    [
      "null-text inversion makes fewer pose edits than BARET",
      done && ours && done.difference(valuesOf(done, ours), valuesOf(done, theirs)),
    ],
  ];
}

export const table1: Experiment = {
  name: "table1",
  title: "Table 1: cost of each method, and which edits it can make",
  paper:
    "On an A100, BARET inverts in 16 s, null-text inversion in 1 minute, SINE tunes for 20 minutes, and SDEdit and MasaCtrl " +
    "need no tuning; every method edits in 10 s. All make non-rigid edits except null-text inversion, and all make several " +
    "changes at once: a plain yes or no.",
  jobs: allEdits,
  findings(plan, view) {
    const claims = claimsOf(plan, view);
    return {
      measured: claimsText(claims),
      agreement: agreementOf(claims),
      blocks: [
        {
          type: "table",
          caption:
            "Seconds are medians, rows and gradients of the U-Net are means. Each method computes everything itself. Done: the " +
            "share of edits in which every requested change is seen, for pose edits and for several changes at once",
          columns: ["method", "edits", "prepare", "edit", "U-Net rows", "gradients", "done: pose", "done: several"],
          rows: plan.variants.map((variant) => row(plan, view, variant)),
        },
      ],
    };
  },
};
