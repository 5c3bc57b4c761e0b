import { average, bootstrapIntervals } from "../../metrics/index.ts";
import { fewestForInterval, samples } from "../report/figures.ts";

/** A number with its 95 % interval. */
export interface Measured {
  /** Absent if there is nothing to measure. */
  readonly value?: number;
  /** Absent if there are too few cases or raters for an interval. */
  readonly low?: number;
  readonly high?: number;
  /** Number of cases, raters or questions that the interval resamples. */
  readonly n: number;
}

/**
 * Measures several statistics of the same things. Their intervals resample the things, such as all answers about a photo
 * together, because such answers resemble each other.
 */
export function measureOver<T>(
  things: readonly T[],
  statistics: (things: readonly T[]) => readonly (number | undefined)[],
): Measured[] {
  const n = things.length;
  const resample = (indices: Uint32Array) => statistics(Array.from(indices, (i) => things[i]));
  const intervals = n < fewestForInterval ? [] : bootstrapIntervals(n, resample, { samples });
  return statistics(things).map((value, k) => ({ value, ...(value === undefined ? {} : intervals[k]), n }));
}

/** Measures the mean of some values. */
export const measureMean = (values: readonly number[]): Measured => measureOver(values, (some) => [average(some)])[0];
