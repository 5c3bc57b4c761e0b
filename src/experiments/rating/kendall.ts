/** Differences of two things by two measures. Only their signs count. */
export interface Compared {
  readonly first: number;
  readonly second: number;
}

/**
 * Kendall's τ-b over given comparisons: concordant less discordant ones, over the geometric mean of those that the first and
 * those that the second measure decides. Kendall 1945, "The Treatment of Ties in Ranking Problems". Comparisons within one
 * photo only give the agreement about edits of the same photo. Returns undefined if a measure decides nothing.
 */
export function kendallTauB(comparisons: readonly Compared[]): number | undefined {
  let [agreement, firstDecides, secondDecides] = [0, 0, 0];
  for (const { first, second } of comparisons) {
    agreement += Math.sign(first) * Math.sign(second);
    firstDecides += Math.abs(Math.sign(first));
    secondDecides += Math.abs(Math.sign(second));
  }
  const scale = Math.sqrt(firstDecides * secondDecides);
  return scale === 0 ? undefined : agreement / scale;
}
