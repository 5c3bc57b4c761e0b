import { UsageError } from "../core/index.ts";
import type { Interval } from "./bootstrap.ts";

/** 97.5 % quantile of the standard normal distribution. */
const z = 1.959963984540054;

/**
 * 95 % interval of a share (Wilson 1927). It has a width even if all or none of the cases count. hits: number of the cases
 * that count. Throws UsageError if there are no cases, or fewer than hits.
 */
export function wilsonInterval(hits: number, count: number): Interval {
  if (!(Number.isInteger(hits) && Number.isInteger(count) && hits >= 0 && count >= 1 && hits <= count)) {
    throw new UsageError("a share", {
      found: `${hits} of ${count}`,
      expected: "whole numbers, 0..count of at least 1",
    });
  }
  const mean = hits / count;
  const shrink = 1 + z ** 2 / count;
  const middle = (mean + z ** 2 / (2 * count)) / shrink;
  const half = (z / shrink) * Math.sqrt((mean * (1 - mean)) / count + z ** 2 / (4 * count ** 2));
  return { mean, low: Math.max(0, middle - half), high: Math.min(1, middle + half), count };
}
