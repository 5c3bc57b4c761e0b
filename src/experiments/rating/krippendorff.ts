/** nominal: values are equal or not. ordinal: values have an order. */
export type Level = "nominal" | "ordinal";

/**
 * Pairs of values within units: o[c, k] of c·size + k, each unit with m ratings weighted by 1/(m − 1). Values are 0 to size − 1.
 * Sums of coincidences are those of all units together.
 */
export function coincidencesOf(units: readonly (readonly number[])[], size: number): Float64Array {
  const coincidences = new Float64Array(size * size);
  for (const unit of units) {
    for (const [i, c] of unit.entries()) {
      for (const [j, k] of unit.entries()) {
        if (i !== j) coincidences[c * size + k] += 1 / (unit.length - 1);
      }
    }
  }
  return coincidences;
}

/** Ordinal difference of the values c and k: (Σ n_g for g = c..k, less half of n_c and n_k)². */
function ordinalDifference(counts: Float64Array, c: number, k: number): number {
  let between = -(counts[c] + counts[k]) / 2;
  for (let g = Math.min(c, k); g <= Math.max(c, k); g++) between += counts[g];
  return between ** 2;
}

/**
 * Krippendorff's α, the agreement of raters: 1 if they agree, 0 if they agree as by chance. Krippendorff 2011, "Computing
 * Krippendorff's Alpha-Reliability", section D. Returns undefined if nothing was rated twice, or if all ratings are equal.
 */
export function alphaOf(coincidences: Float64Array, size: number, level: Level): number | undefined {
  const counts = Float64Array.from({ length: size }, (_, c) =>
    coincidences.subarray(c * size, (c + 1) * size).reduce((sum, x) => sum + x, 0),
  );
  const n = counts.reduce((sum, x) => sum + x, 0);
  let [observed, expected] = [0, 0];
  for (let c = 0; c < size; c++) {
    for (let k = 0; k < size; k++) {
      if (c === k) continue;
      const difference = level === "nominal" ? 1 : ordinalDifference(counts, c, k);
      observed += coincidences[c * size + k] * difference;
      expected += counts[c] * counts[k] * difference;
    }
  }
  return expected === 0 ? undefined : 1 - ((n - 1) * observed) / expected;
}
