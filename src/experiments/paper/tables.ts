import type { Case } from "../cases/case.ts";
import type { Figure, Row, Table } from "../report/report.ts";
import type { Variant } from "../run/variant.ts";
import type { Outcome, View } from "../run/view.ts";
import type { Plan } from "./experiment.ts";
import { allMeasures, figuresOf, type Measure, valuesOf } from "./measures.ts";

/** The method that the others are compared with. */
export const reference = "baret";

/** Returns the number of finished edits, and of failed ones if there are any. */
export function countText(outcomes: readonly Outcome[]): string {
  const made = outcomes.filter(({ edit }) => edit).length;
  const failed = outcomes.filter(({ failure }) => failure).length;
  return failed === 0 ? `${made}` : `${made}, ${failed} failed`;
}

/** Returns a table of measures with a row for each variant, and rows for the photo and the true result as if they were edits. */
export function measureTable(caption: string, plan: Plan, view: View, measures: readonly Measure[]): Table {
  const rows = plan.variants.map((variant): Row => {
    const outcomes = view.outcomes(variant, plan.casesOf(variant));
    return { method: variant.name, cells: [variant.name, countText(outcomes), ...figuresOf(measures, outcomes)] };
  });
  const bounds = (["photo", "truth"] as const).flatMap((picture): Row[] => {
    const figures = measures.map(({ metric, of, figure }) =>
      figure(plan.cases.map((one) => of(view.reference(one, picture, metric)))),
    );
    if (figures.every(({ n }) => n === 0)) return [];
    const name = picture === "photo" ? "the photo, not edited" : "the true result";
    return [{ cells: [name, `${Math.max(...figures.map(({ n }) => n))}`, ...figures] }];
  });
  return {
    type: "table",
    caption,
    columns: ["method", "edits", ...measures.map(({ name }) => name)],
    rows: [...rows, ...bounds],
  };
}

/** Returns a table of all metrics that have values, if it shows more than a table of the measures `shown`. */
export function metricTable(plan: Plan, view: View, shown: readonly Measure[]): Table[] {
  const outcomes = plan.variants.flatMap((variant) => view.outcomes(variant, plan.casesOf(variant)));
  const measures = allMeasures(view).filter(({ metric }) =>
    outcomes.some((outcome) => outcome.value(metric) !== undefined),
  );
  const isMore = measures.some(({ metric }) => !shown.some((measure) => measure.metric === metric));
  const caption =
    "All metrics as they are. ↑: higher is better, ↓: lower is better. The facts of the run name their networks";
  return isMore ? [measureTable(caption, plan, view, measures)] : [];
}

/** Returns the outcomes of two variants over the cases of both, in the same order. */
export function pairedOutcomes({ casesOf }: Plan, view: View, first: Variant, second: Variant): [Outcome[], Outcome[]] {
  const shared = casesOf(first).filter((one) => casesOf(second).includes(one));
  return [view.outcomes(first, shared), view.outcomes(second, shared)];
}

/** Returns the differences of a variant's measures to the reference's, over the cases that both edited. */
export function differences(plan: Plan, view: View, measure: Measure, variant: Variant, other: Variant): Figure {
  const [own, others] = pairedOutcomes(plan, view, variant, other).map((outcomes) => valuesOf(measure, outcomes));
  return measure.difference(own, others);
}

/** Returns a table of the differences to the reference, if the run has it. */
export function differenceTable(plan: Plan, view: View, measures: readonly Measure[]): Table[] {
  const other = plan.variants.find(({ name }) => name === reference);
  const rest = plan.variants.filter((variant) => variant !== other);
  if (!other || rest.length === 0) return [];
  const rows = rest.map((variant): Row => {
    const figures = measures.map((measure) => differences(plan, view, measure, variant, other));
    return { method: variant.name, cells: [variant.name, ...figures] };
  });
  const caption = `Difference to ${reference}, over the cases that both edited`;
  return [{ type: "table", caption, columns: ["method", ...measures.map(({ name }) => name)], rows }];
}

/** Returns a table of one measure with a row for each group of cases. */
export function groupTable(
  plan: Plan,
  view: View,
  measure: Measure,
  groups: readonly (readonly [name: string, isIn: (one: Case) => boolean])[],
): Table {
  const rows = groups.flatMap(([name, isIn]): Row[] => {
    const count = plan.cases.filter(isIn).length;
    if (count === 0) return [];
    const figures = plan.variants.map((variant) =>
      measure.figure(valuesOf(measure, view.outcomes(variant, plan.casesOf(variant).filter(isIn)))),
    );
    const kind = plan.cases.find(isIn)!.kind;
    const isKind = plan.cases.every((one) => !isIn(one) || one.kind === kind);
    return [{ ...(isKind && { kind }), cells: [name, `${count}`, ...figures] }];
  });
  const columns = ["cases", "n", ...plan.variants.map(({ name }) => name)];
  return { type: "table", caption: `${measure.name}: ${measure.about}`, columns, rows };
}

/** Returns groups of cases: all, by kind, and those that training left out. */
export function groupsOf(cases: readonly Case[]): [name: string, isIn: (one: Case) => boolean][] {
  const kinds = [...new Set(cases.map(({ kind }) => kind))];
  const isKnown = cases.some(({ heldOut }) => heldOut !== undefined);
  return [
    ["all", () => true],
    ...kinds.map((kind): [string, (one: Case) => boolean] => [kind, (one) => one.kind === kind]),
    ...(isKnown
      ? ([
          ["combinations in training", ({ heldOut }: Case) => heldOut === false],
          ["combinations left out of training", ({ heldOut }: Case) => heldOut === true],
        ] as [string, (one: Case) => boolean][])
      : []),
  ];
}
