import { bootstrapInterval, pairedDifferences, wilsonInterval } from "../../metrics/index.ts";
import type { Figure } from "./report.ts";

/** The bootstrap interval of fewer cases is much too narrow, and that of one case has no width at all. */
export const fewestForInterval = 10;
/** Resamples of a bootstrap. A report has hundreds of intervals. */
export const samples = 2000;

/** Digits and unit of a figure. */
export interface Format {
  readonly digits: number;
  readonly unit?: string;
}

type Value = number | undefined;

const known = (values: readonly Value[]): number[] =>
  values.filter((value): value is number => value !== undefined && Number.isFinite(value));

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Returns the mean of the values that exist and are finite, with a bootstrap interval from ten values on. */
export function meanFigure(values: readonly Value[], format: Format): Figure {
  const own = known(values);
  if (own.length === 0) return { ...format, n: 0 };
  if (own.length < fewestForInterval) return { ...format, value: mean(own), n: own.length };
  const { mean: value, low, high } = bootstrapInterval(own, { samples });
  return { ...format, value, low, high, n: own.length };
}

/** Returns the mean of first − second over the cases that have both. */
export const differenceFigure = (first: readonly Value[], second: readonly Value[], format: Format): Figure =>
  meanFigure(pairedDifferences(first, second), format);

/** Returns the share of the values that are 1, in per cent, with Wilson's interval. values: 0 or 1. */
export function shareFigure(values: readonly Value[]): Figure {
  const own = known(values);
  const format = { digits: 0, unit: "%" };
  if (own.length === 0) return { ...format, n: 0 };
  const { mean: value, low, high } = wilsonInterval(own.filter((one) => one === 1).length, own.length);
  return { ...format, value: 100 * value, low: 100 * low, high: 100 * high, n: own.length };
}

/** Returns the median of the values that exist. It has no interval. */
export function medianFigure(values: readonly Value[], format: Format): Figure {
  const sorted = known(values).sort((a, b) => a - b);
  if (sorted.length === 0) return { ...format, n: 0 };
  const middle = Math.floor(sorted.length / 2);
  const value = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { ...format, value, n: sorted.length };
}

/** Tells if an interval lies wholly above 0 (1), below 0 (-1), or contains it (0). Without an interval: undefined. */
export function signOf({ low, high }: Figure): 1 | 0 | -1 | undefined {
  if (low === undefined || high === undefined) return undefined;
  return low > 0 ? 1 : high < 0 ? -1 : 0;
}
