import { scaleLinear, scaleLog } from "d3-scale";
import { plainNumber } from "../../figureParts.ts";
import type { Axis, Chart } from "../../report.ts";

/** Places values of an axis on the drawing. */
export interface Scale {
  /** Returns the place of a value. Undefined if it cannot be drawn: it is not finite, or not above 0 on a logarithmic axis. */
  readonly at: (value: number) => number | undefined;
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
  /** Distance of neighbouring names, if the axis has names. */
  readonly step?: number;
}

const isDrawable = ({ isLogarithmic }: Axis, value: number): boolean =>
  Number.isFinite(value) && (!isLogarithmic || value > 0);

/** Returns the names of the values 0, 1, 2, … of an x axis. A bar chart without names gets its own values as names. */
export function namesOf({ mark, x, series }: Chart): readonly string[] | undefined {
  if (x.ticks || mark !== "bar") return x.ticks;
  return barValues(series).map(plainNumber);
}

/** Distinct x values of bars, in order. */
export const barValues = (series: Chart["series"]): number[] =>
  [...new Set(series.flatMap(({ points }) => points.map((point) => point.x)))].sort((a, b) => a - b);

/** Returns an axis with a name at each whole number. */
export function namedScale(names: readonly string[], from: number, to: number): Scale {
  const step = (to - from) / Math.max(1, names.length);
  const place = (value: number): number => from + (value + 0.5) * step;
  return {
    at: (value) => (value >= -0.5 && value <= names.length - 0.5 ? place(value) : undefined),
    ticks: names.map((text, k) => ({ at: place(k), text })),
    step,
  };
}

/** Widens a range without width, and returns 0 to 1 for no values at all. */
function widened(low: number, high: number, isLogarithmic: boolean): [number, number] {
  if (low > high) return isLogarithmic ? [1, 10] : [0, 1];
  if (low < high) return [low, high];
  if (isLogarithmic) return [low / 2, high * 2];
  const margin = Math.abs(low) * 0.1 || 1;
  return [low - margin, high + margin];
}

/** Adds a share of the range at both ends, but nothing below 0 if nothing is there. */
function padded([low, high]: readonly [number, number], share: number, isLogarithmic: boolean): [number, number] {
  if (isLogarithmic) return [low / (high / low) ** share, high * (high / low) ** share];
  const margin = share * (high - low);
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin];
}

/** Returns an axis of numbers that has room for all `values`. padding: share of their range that is added at both ends. */
export function numberScale(axis: Axis, values: readonly number[], from: number, to: number, padding: number): Scale {
  const drawn = values.filter((value) => isDrawable(axis, value));
  const low = drawn.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = drawn.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const isLogarithmic = axis.isLogarithmic ?? false;
  const count = Math.round(Math.abs(to - from) / 70);
  const domain = padded(widened(low, high, isLogarithmic), padding, isLogarithmic);
  const scale = (isLogarithmic ? scaleLog() : scaleLinear()).domain(domain).range([from, to]).nice();
  const format = scale.tickFormat(count, isLogarithmic ? "~g" : undefined);
  return {
    at: (value) => (isDrawable(axis, value) ? scale(value) : undefined),
    ticks: scale.ticks(count).map((value) => ({ at: scale(value), text: format(value) })),
  };
}
