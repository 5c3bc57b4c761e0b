import { Random, UsageError } from "../core/index.ts";

export interface BootstrapOptions {
  /** Probability that the interval is meant to cover the true mean. Default 0.95. */
  level?: number;
  /** Times that the values are drawn anew. Default 10,000. */
  samples?: number;
  seed?: number;
}

/** A mean, and where the true one lies at some level of confidence. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Values that it was made from. */
  readonly count: number;
}

const meanOf = (values: ArrayLike<number> & Iterable<number>): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
};

/** Of sorted values; between two of them on the line that joins them. */
function quantile(sorted: Float64Array, p: number): number {
  const at = p * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

function check(values: readonly number[], level: number, samples: number): void {
  const bad = values.find((value) => !Number.isFinite(value));
  if (bad !== undefined) throw new UsageError("values", { found: `${bad}`, expected: "finite numbers" });
  if (values.length < 2) throw new UsageError("values", { found: `${values.length}`, expected: "at least two" });
  if (!(level > 0 && level < 1)) throw new UsageError("level", { found: `${level}`, expected: "between 0 and 1" });
  if (!(Number.isInteger(samples) && samples > 0)) {
    throw new UsageError("samples", { found: `${samples}`, expected: "a whole number from 1 on" });
  }
}

/**
 * Percentile bootstrap interval of the mean (Efron 1979): the values are drawn anew, with replacement, `samples` times.
 * The same seed gives the same interval. Throws UsageError if there are fewer than two values, or
 * if one is not finite.
 */
export function bootstrapInterval(
  values: readonly number[],
  { level = 0.95, samples = 10_000, seed = 0 }: BootstrapOptions = {},
): Interval {
  check(values, level, samples);
  const random = new Random(seed);
  const count = values.length;
  const means = Float64Array.from({ length: samples }, () => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[random.below(count)];
    return sum / count;
  }).sort();
  const tail = (1 - level) / 2;
  return { mean: meanOf(values), low: quantile(means, tail), high: quantile(means, 1 - tail), count };
}

/**
 * first[i] − second[i], for the pairs in which both have a value: a picture with nothing to keep has no kept-content
 * figure. Throws UsageError where there are not as many of the one as of the other.
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
