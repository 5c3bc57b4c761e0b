import type { SettingValues } from "../../tasks/index.ts";
import type { Case } from "../cases/case.ts";
import type { Chart, Figure, Gallery, Point, Row, Table } from "../report/report.ts";
import type { Job } from "../run/job.ts";
import type { Variant } from "../run/variant.ts";
import type { View } from "../run/view.ts";
import { agreementOf, type Claim, claimsText, type Experiment, nonRigid, type Plan, variantOf } from "./experiment.ts";
import { galleryRow, shownEdit } from "./galleries.ts";
import { editMeasures, figuresOf, likeness, type Measure, promptScore, valuesOf } from "./measures.ts";

/** BARET with one factor at a value of its own. */
interface Level {
  readonly label: string;
  readonly variant: Variant;
}

/** BARET at fixed strength, with its other settings. Blending would hide what a factor does. */
function level(plan: Plan, name: string, label: string, edit: SettingValues): Level {
  const baret = variantOf(plan, "baret")!;
  const variant = {
    ...baret,
    name: `baret, ${name} ${label}`,
    edit: { ...baret.edit, keep: undefined, strength: "fixed", blendBelow: 0, newNoise: 0, ...edit },
    pictures: ["edit", "transition"],
  };
  return { label, variant };
}

/** BARET that chooses its strength, also if the model's or the run's settings fix it. */
function choosing(plan: Plan): Variant {
  const baret = variantOf(plan, "baret")!;
  const decided = new Set<string>(["keep", ...(baret.method.strip?.options ?? [])]);
  const others = Object.entries(baret.edit ?? {}).filter(([name]) => !decided.has(name));
  return { ...baret, name: "baret, strength chosen", edit: { ...Object.fromEntries(others), strength: "auto" } };
}

const alphaLevels = (plan: Plan, ranges: readonly (readonly [number, number])[]): Level[] =>
  ranges.map(([start, end]) => level(plan, "α", `${start}–${end}`, { alpha: [start, end] }));

/** The ranges of α of figure 9, and the two more of figure 10. */
const alphas: readonly (readonly [number, number])[] = [
  [1, 1],
  [0.9, 0.1],
  [0.8, 0.1],
  [0.7, 0.1],
  [0.6, 0.1],
  [0.5, 0.1],
  [0, 0],
];

const shareLevels = (plan: Plan, name: string, option: string, values: readonly number[]): Level[] =>
  values.map((value) => level(plan, name, `${value}`, { [option]: value }));

/** Returns the factors of figure 9, one at a time. */
const factors = (plan: Plan): readonly { readonly name: string; readonly levels: readonly Level[] }[] => [
  {
    name: "α",
    levels: alphaLevels(
      plan,
      alphas.filter(([start]) => start !== 1 && start !== 0.7),
    ),
  },
  { name: "self-attention steps", levels: shareLevels(plan, "self steps", "selfSteps", [0.1, 0.2, 0.3, 0.4, 0.5]) },
  { name: "cross-attention steps", levels: shareLevels(plan, "cross steps", "crossSteps", [0.8, 0.6, 0.4, 0.2, 0]) },
];

/** Cases of the ablation at most: each has fifteen edits. */
const mostCases = 40;
/** Cases of its gallery. */
const mostShown = 3;

/** Returns the cases of the ablation. The paper ablates for a non-rigid edit. */
const ablated = ({ cases }: Plan): Case[] => nonRigid(cases, mostCases);

const jobsOf = (levels: readonly Level[], cases: readonly Case[]): Job[] =>
  cases.flatMap((one) => levels.map(({ variant }): Job => ({ type: "edit", case: one, variant })));

const needsBaret = (plan: Plan): string | undefined =>
  variantOf(plan, "baret") ? undefined : "it needs the method baret";

function factorTable(name: string, levels: readonly Level[], cases: readonly Case[], view: View): Table {
  const measures = editMeasures(view);
  const rows = levels.map(({ label, variant }): Row => {
    const outcomes = view.outcomes(variant, cases);
    return { cells: [label, ...figuresOf(measures, outcomes)] };
  });
  return {
    type: "table",
    caption: `${name}: the edit over ${cases.length} cases, at fixed strength without blending; other settings are the run's`,
    columns: [name, ...measures.map((measure) => measure.name)],
    rows,
  };
}

function factorGallery(name: string, levels: readonly Level[], cases: readonly Case[], view: View): Gallery {
  const rows = cases.slice(0, mostShown).flatMap((one) =>
    (["transition", "edit"] as const).map((picture) => {
      const shown = levels.map(({ label, variant }) =>
        shownEdit(view.outcome(one, variant), picture === "edit" ? editMeasures(view) : [], { picture, label }),
      );
      return { ...galleryRow(one, shown, view), title: `${one.target}: ${picture}` };
    }),
  );
  return { type: "gallery", caption: `${name}: transition and edit`, rows };
}

/** Returns the likeness to photo and prompt over the levels of a factor, as two lines, and that of another variant beside them. */
function lines(caption: string, levels: readonly Level[], cases: readonly Case[], view: View, chosen: Variant): Chart {
  const measures = [likeness(view), promptScore(view)].filter((measure) => measure !== undefined);
  const pointOf = (measure: Measure, variant: Variant, x: number): Point[] => {
    const { value: y, low, high, n } = measure.figure(valuesOf(measure, view.outcomes(variant, cases)));
    return y === undefined ? [] : [{ x, y, low, high, n }];
  };
  return {
    type: "chart",
    caption,
    mark: "line",
    x: {
      label: "from “as the photo” to “as the prompt”",
      ticks: [...levels.map(({ label }) => label), "chosen"],
    },
    y: { label: "share or score" },
    series: measures.flatMap((measure) => [
      { name: measure.name, points: levels.flatMap(({ variant }, x) => pointOf(measure, variant, x)) },
      {
        name: `${measure.name}, strength chosen`,
        points: pointOf(measure, chosen, levels.length).map((point) => ({ ...point, isMarked: true, label: "chosen" })),
      },
    ]),
  };
}

/** Returns how much more a measure is at one level than at another, over the cases that have both. */
function growth(
  measure: Measure | undefined,
  { from, to }: { readonly from: Level; readonly to: Level },
  cases: readonly Case[],
  view: View,
): Figure | undefined {
  if (!measure) return undefined;
  const [after, before] = [to, from].map(({ variant }) => valuesOf(measure, view.outcomes(variant, cases)));
  return measure.difference(after, before);
}

export const fig9: Experiment = {
  name: "fig9",
  title: "Figure 9: what α and the attention steps do",
  paper:
    "On a bird that shall spread its wings: with a high α the transition stays near the photo, and with α 0 it is a picture of " +
    "the prompt alone; more self-attention steps keep more of the photo; fewer cross-attention steps lose the transition's " +
    "shape.",
  lacks: needsBaret,
  jobs: (plan) =>
    jobsOf(
      factors(plan).flatMap(({ levels }) => levels),
      ablated(plan),
    ),
  findings(plan, view) {
    const cases = ablated(plan);
    const [alpha, self] = factors(plan).map(({ levels }) => ({ from: levels[0], to: levels.at(-1)! }));
    const claims: readonly Claim[] = [
      ["a lower α follows the prompt more", growth(promptScore(view), alpha, cases, view)],
      ["more self-attention steps keep more of the photo", growth(likeness(view), self, cases, view)],
    ];
    return {
      measured: `Over ${cases.length} cases: ${claimsText(claims)}`,
      agreement: agreementOf(claims),
      blocks: factors(plan).flatMap(({ name, levels }) => [
        factorTable(name, levels, cases, view),
        factorGallery(name, levels, cases, view),
      ]),
    };
  },
};

export const fig10: Experiment = {
  name: "fig10",
  title: "Figure 10: likeness to the photo and to the prompt over α",
  paper:
    "As α falls from 1 to 0, CLIPScore rises and 1 − LPIPS falls; the paper chooses ranges between 0.8–0.1 and 0.6–0.1, where " +
    "both are high.",
  lacks: needsBaret,
  jobs: (plan) => [
    ...jobsOf(alphaLevels(plan, alphas), plan.cases),
    ...plan.cases.map((one): Job => ({ type: "edit", case: one, variant: choosing(plan) })),
  ],
  findings(plan, view) {
    const levels = alphaLevels(plan, alphas);
    const [first, last] = [levels[0], levels.at(-1)!];
    const claims: readonly Claim[] = [
      ["the score rises", growth(promptScore(view), { from: first, to: last }, plan.cases, view)],
      ["the likeness to the photo falls", growth(likeness(view), { from: last, to: first }, plan.cases, view)],
    ];
    const chosen = choosing(plan);
    const table = factorTable("α", levels, plan.cases, view);
    const figures = figuresOf(editMeasures(view), view.outcomes(chosen, plan.cases));
    const chosenRow: Row = { method: "baret", cells: ["strength chosen", ...figures] };
    return {
      measured: `Over ${plan.cases.length} cases: ${claimsText(claims)}. The last row is the strength that was chosen for each case`,
      agreement: agreementOf(claims),
      blocks: [
        { ...table, rows: [...table.rows, chosenRow] },
        lines(
          "Means with intervals; the last point is the strength that was chosen for each case",
          levels,
          plan.cases,
          view,
          chosen,
        ),
      ],
    };
  },
};
