import { UsageError } from "../core/index.ts";

/** What pictures should show by attribute; null where one cannot show it. */
export type Truth<A extends string> = Readonly<Record<A, string | null>>;

/** wanted → seen → how often; the wanted sorted by name, what was seen most often first. */
export type Confusion = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** How well a judge's names agree with what pictures should show. */
export interface Agreement<A extends string> {
  /** Pictures. */
  readonly count: number;
  /** Share named right of the pictures that can show the attribute; undefined where none can. */
  readonly right: Readonly<Record<A, number | undefined>>;
  /** Share in which every attribute that it can show is named right; undefined without pictures. */
  readonly allRight: number | undefined;
  readonly confusion: Readonly<Record<A, Confusion>>;
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

/** Counts [wanted, seen]. */
function confusionOf(pairs: readonly (readonly [string, string])[]): Confusion {
  const counts = new Map<string, Map<string, number>>();
  for (const [wanted, seen] of pairs) {
    const row = counts.get(wanted) ?? new Map<string, number>();
    counts.set(wanted, row.set(seen, (row.get(seen) ?? 0) + 1));
  }
  const rows = [...counts].sort(byName);
  return Object.fromEntries(
    rows.map(([wanted, row]) => [wanted, Object.fromEntries([...row].sort((a, b) => b[1] - a[1]))]),
  );
}

const share = (right: readonly boolean[]): number | undefined =>
  right.length === 0 ? undefined : right.filter(Boolean).length / right.length;

/**
 * Holds what a judge named against the truth, attribute by attribute, as training/evaluate.py does: a picture that cannot
 * show an attribute says nothing about it. Throws UsageError where there are not as many of the one as of the other.
 */
export function agreement<A extends string>(
  attributes: readonly A[],
  truths: readonly Truth<A>[],
  named: readonly Readonly<Record<string, string>>[],
): Agreement<A> {
  if (truths.length !== named.length) {
    throw new UsageError("what was named", { found: `${named.length} pictures`, expected: `${truths.length}` });
  }
  const byAttribute = <T>(f: (attribute: A) => T): Record<A, T> =>
    Object.fromEntries(attributes.map((attribute) => [attribute, f(attribute)])) as Record<A, T>;
  const shown = byAttribute((attribute) =>
    truths.flatMap((truth, i) => {
      const wanted = truth[attribute];
      return wanted === null ? [] : [[wanted, named[i][attribute]] as const];
    }),
  );
  return {
    count: truths.length,
    right: byAttribute((attribute) => share(shown[attribute].map(([wanted, seen]) => wanted === seen))),
    allRight: share(truths.map((truth, i) => attributes.every((a) => truth[a] === null || truth[a] === named[i][a]))),
    confusion: byAttribute((attribute) => confusionOf(shown[attribute])),
  };
}

/** The attributes that an edit asks to change: those whose value differs, as far as the result can show them. */
export function askedChanges<A extends string>(attributes: readonly A[], before: Truth<A>, after: Truth<A>): A[] {
  return attributes.filter((attribute) => after[attribute] !== null && after[attribute] !== before[attribute]);
}

/** A confusion as lines of text, what was wanted at the left, what was seen at the top; a dot is none. */
export function confusionTable(confusion: Confusion): string {
  const rows = Object.keys(confusion);
  const seen = new Set(Object.values(confusion).flatMap((row) => Object.keys(row)));
  const columns = [...new Set([...rows.filter((name) => seen.has(name)), ...[...seen].sort()])];
  const cells = [
    ["wanted \\ seen", ...columns],
    ...rows.map((wanted) => [wanted, ...columns.map((column) => `${confusion[wanted][column] ?? "."}`)]),
  ];
  const widths = cells[0].map((_, k) => Math.max(...cells.map((row) => row[k].length)));
  return cells
    .map((row) => row.map((cell, k) => (k === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[k]))).join("  "))
    .join("\n");
}
