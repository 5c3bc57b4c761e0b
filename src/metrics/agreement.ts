import { UsageError } from "../core/index.ts";

/** True value of each attribute of a picture; null if the picture cannot show the attribute. */
export type Truth<A extends string> = Readonly<Record<A, string | null>>;

/** True value → predicted value → count. True values are sorted by name, predicted ones by count. */
export type Confusion = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Agreement of predicted labels with the truth. */
export interface Agreement<A extends string> {
  /** Number of pictures. */
  readonly count: number;
  /** Share of correct labels among pictures that can show the attribute. Undefined if none can. */
  readonly right: Readonly<Record<A, number | undefined>>;
  /** Share of pictures whose labels are all correct, as far as they can show them. Undefined without pictures. */
  readonly allRight: number | undefined;
  readonly confusion: Readonly<Record<A, Confusion>>;
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

/** Counts pairs [true value, predicted value]. */
function confusionOf(pairs: readonly (readonly [string, string])[]): Confusion {
  const counts = new Map<string, Map<string, number>>();
  for (const [truth, predicted] of pairs) {
    const row = counts.get(truth) ?? new Map<string, number>();
    counts.set(truth, row.set(predicted, (row.get(predicted) ?? 0) + 1));
  }
  const rows = [...counts].sort(byName);
  return Object.fromEntries(
    rows.map(([truth, row]) => [truth, Object.fromEntries([...row].sort((a, b) => b[1] - a[1]))]),
  );
}

const share = (right: readonly boolean[]): number | undefined =>
  right.length === 0 ? undefined : right.filter(Boolean).length / right.length;

/**
 * Compares predicted labels with the truth, attribute by attribute, as training/evaluate.py does. Pictures that cannot show
 * an attribute do not count for it. Throws UsageError if truths and labels differ in number.
 */
export function agreement<A extends string>(
  attributes: readonly A[],
  truths: readonly Truth<A>[],
  labels: readonly Readonly<Record<string, string>>[],
): Agreement<A> {
  if (truths.length !== labels.length) {
    throw new UsageError("labels", { found: `${labels.length} pictures`, expected: `${truths.length}` });
  }
  const byAttribute = <T>(f: (attribute: A) => T): Record<A, T> =>
    Object.fromEntries(attributes.map((attribute) => [attribute, f(attribute)])) as Record<A, T>;
  const shown = byAttribute((attribute) =>
    truths.flatMap((truth, i) => {
      const value = truth[attribute];
      return value === null ? [] : [[value, labels[i][attribute]] as const];
    }),
  );
  return {
    count: truths.length,
    right: byAttribute((attribute) => share(shown[attribute].map(([truth, predicted]) => truth === predicted))),
    allRight: share(truths.map((truth, i) => attributes.every((a) => truth[a] === null || truth[a] === labels[i][a]))),
    confusion: byAttribute((attribute) => confusionOf(shown[attribute])),
  };
}

/** Attributes that an edit should change: those whose value differs and that the result can show. */
export function requestedChanges<A extends string>(attributes: readonly A[], before: Truth<A>, after: Truth<A>): A[] {
  return attributes.filter((attribute) => after[attribute] !== null && after[attribute] !== before[attribute]);
}

/** Those of the requested attributes whose label is the value after the edit. */
export const foundChanges = <A extends string>(
  requested: readonly A[],
  labels: Readonly<Record<string, string>>,
  after: Truth<A>,
): A[] => requested.filter((attribute) => labels[attribute] === after[attribute]);

/** Formats a confusion as text: true values at the left, predicted ones at the top, a dot for none. */
export function confusionTable(confusion: Confusion): string {
  const rows = Object.keys(confusion);
  const predicted = new Set(Object.values(confusion).flatMap((row) => Object.keys(row)));
  const columns = [...new Set([...rows.filter((name) => predicted.has(name)), ...[...predicted].sort()])];
  const cells = [
    ["truth \\ predicted", ...columns],
    ...rows.map((truth) => [truth, ...columns.map((column) => `${confusion[truth][column] ?? "."}`)]),
  ];
  const widths = cells[0].map((_, k) => Math.max(...cells.map((row) => row[k].length)));
  return cells
    .map((row) => row.map((cell, k) => (k === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[k]))).join("  "))
    .join("\n");
}
