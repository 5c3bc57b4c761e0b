import { z } from "zod";
import { checkArguments, few, UsageError } from "../../core/index.ts";
import type { Case, CaseSet } from "./case.ts";

export interface Choice {
  /** Number of cases at most. Default: all. */
  readonly limit?: number;
  /** Default: all kinds. */
  readonly kinds?: readonly string[];
  /** true: only cases that lead to what the model's training left out. false: only others. */
  readonly heldOut?: boolean;
}

const choice = z.strictObject({
  limit: z.int("expected a whole number of at least 1").min(1, "expected a whole number of at least 1").optional(),
  kinds: z.array(z.string()).optional(),
  heldOut: z.boolean().optional(),
});

/** Returns the kinds of a set, in the order of their first cases. */
export const kindsOf = ({ cases }: Pick<CaseSet, "cases">): string[] => [...new Set(cases.map(({ kind }) => kind))];

/**
 * Returns some cases of a set in its order, spread evenly. If the limit allows, each kind has at least one; beyond that, a
 * kind has its share of the set. Throws UsageError if no case fits.
 */
export function chosen(set: CaseSet, { limit = Number.MAX_SAFE_INTEGER, kinds, heldOut }: Choice = {}): Case[] {
  checkArguments("chosen", choice, { limit, kinds, heldOut });
  const known = kindsOf(set);
  const unknown = kinds?.filter((kind) => !known.includes(kind)) ?? [];
  if (unknown.length > 0) {
    throw new UsageError("no such kinds of cases", { where: set.name, found: few(unknown), expected: few(known) });
  }
  const fitting = set.cases.filter(
    (one) => (kinds?.includes(one.kind) ?? true) && (heldOut === undefined || one.heldOut === heldOut),
  );
  if (fitting.length === 0) {
    throw new UsageError("no case fits", { where: set.name, found: JSON.stringify({ kinds, heldOut }) });
  }
  if (limit >= fitting.length) return fitting;
  const groups = known.map((kind) => fitting.filter((one) => one.kind === kind)).filter(({ length }) => length > 0);
  const counts = shares(
    groups.map(({ length }) => length),
    limit,
  );
  const taken = new Set(groups.flatMap((group, k) => spread(group, counts[k])));
  return fitting.filter((one) => taken.has(one));
}

/** Returns `count` of the items, evenly spread. */
export const spread = <T>(items: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, k) => items[Math.floor(((k + 0.5) * items.length) / count)]);

/**
 * Returns how many of `total` go to groups of these sizes. If there are enough, each gets one; the others go by the largest
 * quotient (Sainte-Laguë). If not, every n-th group gets one.
 */
function shares(sizes: readonly number[], total: number): number[] {
  const counts = sizes.map(() => 0);
  const first = spread(
    sizes.map((_, k) => k),
    Math.min(total, sizes.length),
  );
  for (const k of first) counts[k] = 1;
  for (let left = total - first.length; left > 0; left--) {
    const quotients = sizes.map((size, k) => (counts[k] < size ? size / (2 * counts[k] + 1) : 0));
    counts[quotients.indexOf(Math.max(...quotients))]++;
  }
  return counts;
}
