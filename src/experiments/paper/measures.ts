import { numberText } from "../report/figureParts.ts";
import { differenceFigure, meanFigure, shareFigure } from "../report/figures.ts";
import type { Figure } from "../report/report.ts";
import type { Outcome, View } from "../run/view.ts";

type Known = Pick<View, "firstOf">;

type Value = number | undefined;

/** A number of an edit, as tables show it. */
export interface Measure {
  /** Column of tables, with its unit. */
  readonly name: string;
  readonly about: string;
  /** Name of its metric. */
  readonly metric: string;
  readonly better: "higher" | "lower";
  /** Returns the measure for a value of the metric. */
  readonly of: (value: Value) => Value;
  /** Summarises the measures of several edits. */
  readonly figure: (values: readonly Value[]) => Figure;
  /** Returns the words for one value. */
  readonly note: (value: number) => string;
  /** Summarises the differences own − other, over the edits that have both. */
  readonly difference: (own: readonly Value[], other: readonly Value[]) => Figure;
}

const same = (value: Value): Value => value;
export const percent = (share: Value): Value => (share === undefined ? undefined : 100 * share);

/** Returns a value after its name, whose unit stands after the value: "kept 17.5 dB". */
const noted = (name: string, value: string): string =>
  name.endsWith(", dB") ? `${name.slice(0, -", dB".length)} ${value} dB` : `${name} ${value}`;

const averaged = (name: string, digits: number, unit?: string) => ({
  note: (value: number) => noted(name, numberText(value, digits)),
  figure: (values: readonly Value[]) => meanFigure(values, { digits, unit }),
  difference: (own: readonly Value[], other: readonly Value[]) =>
    differenceFigure(own, other, { digits: Math.max(digits, 2), unit }),
});

const done: Omit<Measure, "metric" | "about"> = {
  name: "done",
  better: "higher",
  of: same,
  figure: shareFigure,
  note: (value) => (value === 1 ? "done" : "not done"),
  difference: (own, other) => differenceFigure(own.map(percent), other.map(percent), { digits: 0, unit: "points" }),
};

/** Returns the measure of a metric as it is, if the run has the metric. */
function plain(view: Known, metric: string, name: string, digits: number, unit?: string): Measure[] {
  const facts = view.firstOf([metric]);
  return facts
    ? [{ name, metric, about: facts.about, better: facts.better, of: same, ...averaged(name, digits, unit) }]
    : [];
}

/** Returns the share of edits in which the judge sees every requested change. */
export function doneMeasure(view: Known): Measure | undefined {
  const facts = view.firstOf(["judge-done"]);
  return facts && { ...done, metric: facts.name, about: facts.about };
}

/** Returns 1 − distance to the photo: LPIPS, or else our own by the judge. The paper does not name LPIPS's network. */
export function likeness(view: Known): Measure | undefined {
  const facts = view.firstOf(["lpips-alex", "lpips-vgg16", "lpips-squeeze", "judge-distance"]);
  return (
    facts && {
      name: `1 − ${facts.name}`,
      metric: facts.name,
      about: `1 minus: ${facts.about}`,
      better: "higher",
      of: (value) => (value === undefined ? undefined : 1 - value),
      ...averaged(`1 − ${facts.name}`, 3),
    }
  );
}

/** Returns CLIPScore: with the prefix as its own program has it, or else by the judge. */
export function promptScore(view: Known): Measure | undefined {
  const facts = view.firstOf(["clip-score-prefix", "judge-score"]);
  return facts && plain(view, facts.name, facts.name, 3)[0];
}

const defined = <T>(items: readonly (T | undefined)[]): T[] => items.filter((item) => item !== undefined);

/** Returns what a run can tell about edits whose true result is known. */
export const truthMeasures = (view: Known): Measure[] =>
  defined([
    doneMeasure(view),
    ...plain(view, "kept-psnr", "kept, dB", 1),
    ...plain(view, "truth-psnr", "truth, dB", 1),
    ...plain(view, "truth-ssim", "truth, SSIM", 3),
    ...plain(view, "judge-distance-truth", "distance to truth (ours)", 2),
  ]);

/** Returns what a run can tell about any edit. */
export const editMeasures = (view: Known): Measure[] =>
  defined([doneMeasure(view), ...plain(view, "kept-psnr", "kept, dB", 1), likeness(view), promptScore(view)]);

/** Returns PIE-Bench's measures. */
export const pieMeasures = (view: Known): Measure[] => [
  ...plain(view, "pie-structure", "structure distance", 4),
  ...plain(view, "structure", "structure distance, DINO's own pixels", 4),
  ...plain(view, "pie-psnr", "PSNR, dB", 2),
  ...plain(view, "pie-lpips", "LPIPS", 4),
  ...plain(view, "pie-mse", "MSE", 4),
  ...plain(view, "pie-ssim", "SSIM", 4),
  ...plain(view, "pie-clip-whole", "CLIP, whole", 2),
  ...plain(view, "pie-clip-edited", "CLIP, edited part", 2),
];

/** Digits of metrics by their unit, where they are not three. */
const digitsOf: Readonly<Record<string, number>> = {
  dB: 2,
  "100·cosine": 2,
  cosine: 4,
  distance: 4,
  "squared error of 0..1": 4,
};

/** Returns every metric of the run as it is. */
export const allMeasures = (view: Pick<View, "firstOf" | "metrics">): Measure[] =>
  view.metrics.flatMap(({ name, unit, better }) => {
    if (name === "judge-done") return defined([doneMeasure(view)]);
    const column = `${name}${unit === "dB" ? ", dB" : ""} ${better === "higher" ? "↑" : "↓"}`;
    return plain(view, name, column, digitsOf[unit] ?? 3);
  });

/** Returns the measures of some outcomes. picture: default the edit. */
export const valuesOf = ({ metric, of }: Measure, outcomes: readonly Outcome[], picture?: string): Value[] =>
  outcomes.map((outcome) => of(outcome.value(metric, picture)));

/** Returns a figure of each measure over some outcomes. */
export const figuresOf = (measures: readonly Measure[], outcomes: readonly Outcome[]): Figure[] =>
  measures.map((measure) => measure.figure(valuesOf(measure, outcomes)));
