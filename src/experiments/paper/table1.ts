import { meanFigure, medianFigure } from "../report/figures.ts";
import type { Figure, Row } from "../report/report.ts";
import type { Variant } from "../run/variant.ts";
import type { Outcome, View } from "../run/view.ts";
import {
  agreementOf,
  allEdits,
  type Claim,
  claimsText,
  type Experiment,
  isBelow,
  type Plan,
  variantOf,
} from "./experiment.ts";
import { doneMeasure, valuesOf } from "./measures.ts";
import { countText } from "./tables.ts";

const seconds = { digits: 1, unit: "s" };
const counts = { digits: 0 };

/** Returns the share of the cases of a kind in which every requested change is done. */
function doneOf(plan: Plan, view: View, variant: Variant, kind: string): Figure | undefined {
  const measure = doneMeasure(view);
  const cases = plan.casesOf(variant).filter((one) => one.kind === kind);
  return measure && cases.length > 0 ? measure.figure(valuesOf(measure, view.outcomes(variant, cases))) : undefined;
}

const prepareSeconds = (outcomes: readonly Outcome[]): Figure =>
  medianFigure(
    outcomes.map(({ edit }) => edit?.costs.prepare?.seconds),
    seconds,
  );

function row(plan: Plan, view: View, variant: Variant): Row {
  const outcomes = view.outcomes(variant, plan.casesOf(variant));
  const total = (part: "evaluations" | "gradients"): Figure =>
    meanFigure(
      outcomes.map(({ edit }) => edit?.costs.prepare && edit.costs.prepare[part] + edit.costs.edit[part]),
      counts,
    );
  const own = [
    prepareSeconds(outcomes),
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

export const table1: Experiment = {
  name: "table1",
  title: "Table 1: cost of each method, and which edits it can make",
  paper:
    "On an A100, BARET inverts in 16 s, null-text inversion in 1 minute, SINE tunes for 20 minutes, and SDEdit and MasaCtrl " +
    "need no tuning; every method edits in 10 s. All make non-rigid edits except null-text inversion, and all make several " +
    "changes at once: a plain yes or no.",
  jobs: allEdits,
  findings(plan, view) {
    const timeOf = (method: string): number | undefined => {
      const variant = variantOf(plan, method);
      return variant && prepareSeconds(view.outcomes(variant, plan.casesOf(variant))).value;
    };
    const [baret, nullText, sine] = ["baret", "null-text", "sine"].map(timeOf);
    const [ours, theirs] = ["baret", "null-text"].map((method) => {
      const variant = variantOf(plan, method);
      return variant && doneOf(plan, view, variant, "pose")?.value;
    });
    const claims: readonly Claim[] = [
      ["BARET inverts faster than null-text inversion", isBelow(baret, nullText)],
      ["null-text inversion is faster than SINE's tuning", isBelow(nullText, sine)],
      ["null-text inversion makes fewer pose edits than BARET", isBelow(theirs, ours)],
    ];
    return {
      measured: claimsText(claims),
      agreement: agreementOf(claims.map(([, holds]) => holds)),
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
