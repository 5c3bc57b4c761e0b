import { Random, UsageError } from "../core/index.ts";

export interface BootstrapOptions {
  /** Probability that the interval covers the true mean. Default 0.95. */
  level?: number;
  /** Number of resamples. Default 10,000. */
  samples?: number;
  seed?: number;
}

/** A mean with its confidence interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Number of values. */
  readonly count: number;
}

const meanOf = (values: ArrayLike<number> & Iterable<number>): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
};

/** Returns the quantile of sorted values, with linear interpolation. */
function quantile(sorted: Float64Array, p: number): number {
  const at = p * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

function check(count: number, level: number, samples: number): void {
  if (count < 2) throw new UsageError("values", { found: `${count}`, expected: "at least two" });
  if (!(level > 0 && level < 1)) throw new UsageError("level", { found: `${level}`, expected: "between 0 and 1" });
  if (!(Number.isInteger(samples) && samples > 0)) {
    throw new UsageError("samples", { found: `${samples}`, expected: "a whole number from 1 on" });
  }
}

/**
 * Percentile bootstrap intervals of any statistics of `count` things (Efron 1979). `statistics` gets the indices of a
 * resample, always in the same array, and returns one value for each statistic, or undefined if the resample has none. A
 * statistic that has no value in most resamples has no interval. Throws UsageError if there are fewer than two things.
 */
export function bootstrapIntervals(
  count: number,
  statistics: (indices: Uint32Array) => readonly (number | undefined)[],
  { level = 0.95, samples = 10_000, seed = 0 }: BootstrapOptions = {},
): ({ readonly low: number; readonly high: number } | undefined)[] {
  check(count, level, samples);
  const random = new Random(seed);
  const indices = new Uint32Array(count);
  const resampled = Array.from({ length: samples }, () => {
    for (let i = 0; i < count; i++) indices[i] = random.below(count);
    return statistics(indices);
  });
  const tail = (1 - level) / 2;
  return resampled[0].map((_, k) => {
    const values = Float64Array.from(resampled.map((row) => row[k]).filter((value) => value !== undefined)).sort();
    return 2 * values.length < samples ? undefined : { low: quantile(values, tail), high: quantile(values, 1 - tail) };
  });
}

/**
 * Percentile bootstrap interval of the mean (Efron 1979): resamples the values with replacement `samples` times.
 * The same seed gives the same interval. Throws UsageError if there are fewer than two values, or
 * if one is not finite.
 */
export function bootstrapInterval(values: readonly number[], options: BootstrapOptions = {}): Interval {
  const bad = values.find((value) => !Number.isFinite(value));
  if (bad !== undefined) throw new UsageError("values", { found: `${bad}`, expected: "finite numbers" });
  const count = values.length;
  const meanAt = (indices: Uint32Array): number[] => {
    let sum = 0;
    for (const i of indices) sum += values[i];
    return [sum / count];
  };
  const [interval] = bootstrapIntervals(count, meanAt, options);
  return { mean: meanOf(values), ...interval!, count };
}

/**
 * first[i] − second[i] for all pairs in which both values exist. Throws UsageError if there are not as many first as second
 * values.
 */
export function pairedDifferences(
  first: readonly (number | undefined)[],
  second: readonly (number | undefined)[],
): number[] {
  if (first.length !== second.length) {
    throw new UsageError("paired values", { found: `${first.length} and ${second.length}`, expected: "as many" });
  }
  return first.flatMap((a, i) => {
    const b = second[i];
    return a === undefined || b === undefined ? [] : [a - b];
  });
}
