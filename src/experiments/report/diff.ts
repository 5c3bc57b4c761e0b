import { figureParts } from "./figureParts.ts";
import { figuresOf, type Place, type PlacedFigure } from "./flatten.ts";
import type { Figure, Report } from "./report.ts";

/** Something with a name that both reports say differently. Absent on the side that does not say it. */
export interface ChangedText {
  readonly name: string;
  readonly a?: string;
  readonly b?: string;
}

/** A figure with other numbers in the second report. */
export interface ChangedFigure extends Place {
  readonly a: Figure;
  readonly b: Figure;
  /** Tells if the intervals have a common part. "unknown" if one of the figures has none. */
  readonly intervals: "overlap" | "apart" | "unknown";
}

/** Differences of two reports. */
export interface ReportDiff {
  /** Facts that differ, those that decide what can be compared first: the cases, then the model. */
  readonly facts: readonly ChangedText[];
  /** Sections that one report alone has. */
  readonly sections: { readonly onlyA: readonly string[]; readonly onlyB: readonly string[] };
  /** Sections of both whose agreement with the paper differs. */
  readonly agreements: readonly ChangedText[];
  /** Figures of both, in sections of both, that differ in the digits that are shown. */
  readonly changed: readonly ChangedFigure[];
  /** Figures that one report alone has, in sections of both. */
  readonly figures: { readonly onlyA: readonly PlacedFigure[]; readonly onlyB: readonly PlacedFigure[] };
  /** Number of figures that both have. */
  readonly compared: number;
  /** Number of those that differ only beyond the digits that are shown. */
  readonly tiny: number;
}

/** Facts that decide if figures can be compared at all, in the order in which they are named. */
const decisive = ["cases", "model"];

function changedTexts(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): ChangedText[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names.filter((name) => a[name] !== b[name]).map((name) => ({ name, a: a[name], b: b[name] }));
}

/** Decisive facts first. Their order else stays. */
function rank({ name }: ChangedText): number {
  const found = decisive.indexOf(name);
  return found < 0 ? decisive.length : found;
}

function intervalsOf(a: Figure, b: Figure): ChangedFigure["intervals"] {
  if (a.low === undefined || a.high === undefined || b.low === undefined || b.high === undefined) return "unknown";
  return a.low <= b.high && b.low <= a.high ? "overlap" : "apart";
}

const isSame = (a: Figure, b: Figure): boolean =>
  Object.is(a.value, b.value) && Object.is(a.low, b.low) && Object.is(a.high, b.high) && a.n === b.n;

function looksSame(a: Figure, b: Figure): boolean {
  const [x, y] = [figureParts(a), figureParts(b)];
  return x.value === y.value && x.interval === y.interval && x.n === y.n;
}

const keyOf = ({ section, block, row, column }: Place): string => JSON.stringify([section, block, row, column]);

/** Compares two reports: `b` with `a`, which is the older or the reference. */
export function compareReports(a: Report, b: Report): ReportDiff {
  const names = [a, b].map(({ sections }) => new Set(sections.map(({ name }) => name)));
  const inBoth = (name: string): boolean => names.every((some) => some.has(name));
  const [first, second] = [a, b].map(
    (report) =>
      new Map(
        figuresOf(report)
          .filter(({ section }) => inBoth(section))
          .map((one) => [keyOf(one), one]),
      ),
  );
  const pairs = [...first].flatMap(([key, one]) => {
    const other = second.get(key);
    return other ? [{ one, other }] : [];
  });
  const different = pairs.filter(({ one, other }) => !isSame(one.figure, other.figure));
  const visible = different.filter(({ one, other }) => !looksSame(one.figure, other.figure));
  const only = (own: typeof first, others: typeof first) =>
    [...own].filter(([key]) => !others.has(key)).map(([, one]) => one);
  const agreements = (report: Report) =>
    Object.fromEntries(report.sections.filter(({ name }) => inBoth(name)).map((one) => [one.name, one.agreement]));
  return {
    facts: changedTexts(a.facts, b.facts).toSorted((x, y) => rank(x) - rank(y)),
    sections: {
      onlyA: [...names[0]].filter((name) => !inBoth(name)),
      onlyB: [...names[1]].filter((name) => !inBoth(name)),
    },
    agreements: changedTexts(agreements(a), agreements(b)),
    changed: visible.map(({ one: { figure, ...place }, other }) => ({
      ...place,
      a: figure,
      b: other.figure,
      intervals: intervalsOf(figure, other.figure),
    })),
    figures: { onlyA: only(first, second), onlyB: only(second, first) },
    compared: pairs.length,
    tiny: different.length - visible.length,
  };
}
