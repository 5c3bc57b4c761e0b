/** Report of the measured edits. */
import { bootstrapInterval, pairedDifferences } from "../metrics/index.ts";
import type { Outcome } from "./outcome.ts";

/** The judge must find this share of the requested changes in the true results; otherwise its figures do not count. */
const trustedFrom = 0.99;
/** The bootstrap interval of fewer pairs is much too narrow, and that of one pair has no width at all. */
const fewestForInterval = 10;

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** A figure of an edit, and how its mean and its differences are written. */
interface Figure {
  readonly name: string;
  readonly about: string;
  readonly of: (outcome: Outcome) => number | undefined;
  readonly write: (mean: number) => string;
  readonly difference: (mean: number) => string;
}

const isDone = ({ requested, found }: Outcome): boolean => found.length === requested.length;
const decibels = { write: (x: number) => x.toFixed(1), difference: (x: number) => x.toFixed(2) };
const figures: readonly Figure[] = [
  {
    name: "done",
    about: "Done: share of the pairs in which the judge sees every requested change",
    of: (outcome) => 100 * Number(isDone(outcome)),
    write: (x) => `${x.toFixed(0)} %`,
    difference: (x) => x.toFixed(0),
  },
  {
    name: "kept",
    about: "Kept: PSNR to the photo in dB, over the pixels that must not change",
    of: ({ kept }) => kept,
    ...decibels,
  },
  { name: "truth", about: "Truth: PSNR to the true result in dB", of: ({ truth }) => truth, ...decibels },
];

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.join(" | ")} |`,
  `|${"---|".repeat(head.length)}`,
  ...rows.map((row) => `| ${row.join(" | ")} |`),
];

const defined = (values: readonly (number | undefined)[]): number[] => values.filter((x) => x !== undefined);
const meanText = ({ of, write }: Pick<Figure, "of" | "write">, outcomes: readonly Outcome[]): string => {
  const known = defined(outcomes.map(of)).filter(Number.isFinite);
  return known.length === 0 ? "–" : write(mean(known));
};

/** Returns the mean difference with its interval: "1.28 (0.79 to 1.78)". Fewer than ten pairs have no interval. */
export function differenceText(differences: readonly number[], write: (x: number) => string): string {
  if (differences.length === 0) return "–";
  if (differences.length < fewestForInterval) return `${write(mean(differences))}, ${differences.length} pairs`;
  const { mean: value, low, high } = bootstrapInterval(differences);
  const shown = low > 0 || high < 0;
  return `${shown ? "**" : ""}${write(value)}${shown ? "**" : ""} (${write(low)} to ${write(high)})`;
}

type Groups = readonly (readonly [name: string, of: (outcome: Outcome) => boolean])[];

/** Returns groups of pairs that exist: all, by training, by kind. */
function groupsOf(outcomes: readonly Outcome[]): Groups {
  const kinds = [...new Set(outcomes.map(({ kind }) => kind))];
  const all: Groups = [
    ["all", () => true],
    ["combinations in training", ({ heldOut }) => !heldOut],
    ["combinations held out", ({ heldOut }) => heldOut],
    ...kinds.flatMap((kind) =>
      [false, true].map(
        (heldOut) =>
          [
            `${kind}${heldOut ? ", held out" : ""}`,
            (one: Outcome) => one.kind === kind && one.heldOut === heldOut,
          ] as const,
      ),
    ),
  ];
  return all.filter(([, isIn]) => outcomes.some(isIn));
}

/** Returns the differences of a method's figure to that of the reference, over the pairs that have both. */
function differencesOf(of: Figure["of"], own: readonly Outcome[], reference: readonly Outcome[]): number[] {
  const named = new Map(reference.map((one) => [one.pair, one]));
  const both = own.filter(({ pair }) => named.has(pair));
  const first = both.map(of);
  const second = both.map(({ pair }) => of(named.get(pair)!));
  return pairedDifferences(first, second).filter(Number.isFinite);
}

/** The judge's share of the requested changes in the true results. */
function trustText(outcomes: readonly Outcome[]): string {
  const pairs = [...new Map(outcomes.map((one) => [one.pair, one])).values()];
  const requested = pairs.reduce((sum, one) => sum + one.requested.length, 0);
  const found = pairs.reduce((sum, one) => sum + one.foundInTruth.length, 0);
  const share = requested === 0 ? "" : ` (${((100 * found) / requested).toFixed(1)} %)`;
  const trusted = found >= trustedFrom * requested ? "." : ': below 99 %, so "done" does not count.';
  return `${pairs.length} pairs. The judge finds ${found} of ${requested} requested changes in the true results${share}${trusted}`;
}

/** The whole report, in Markdown. reference: name of the method that the others are compared with. */
export function methodsReport(outcomes: readonly Outcome[], reference: string): string {
  const names = [...new Set(outcomes.map(({ method }) => method))];
  const of = (name: string): Outcome[] => outcomes.filter(({ method }) => method === name);
  const summary = names.map((name) => {
    const own = of(name);
    const total = (part: "seconds" | "evaluations" | "gradients"): number[] =>
      own.map(({ costs: { prepare, edit } }) => prepare[part] + edit[part]);
    return [
      name,
      `${own.length}`,
      ...figures.map((figure) => meanText(figure, own)),
      median(own.map(({ costs }) => costs.prepare.seconds)).toFixed(1),
      median(own.map(({ costs }) => costs.edit.seconds)).toFixed(1),
      mean(total("evaluations")).toFixed(0),
      mean(total("gradients")).toFixed(0),
    ];
  });
  const ceiling = meanText({ of: (one) => one.ceiling, ...decibels }, outcomes);
  const compared = names.filter((name) => name !== reference && of(reference).length > 0);
  const differences = compared.map((name) => [
    name,
    ...figures.map((figure) => differenceText(differencesOf(figure.of, of(name), of(reference)), figure.difference)),
  ]);
  const reconstructed = names.flatMap((name) => {
    const known = defined(of(name).map((one) => one.reconstruction)).filter(Number.isFinite);
    if (known.length === 0) return [];
    return [`${name} ${mean(known).toFixed(1)} dB on average, ${Math.min(...known).toFixed(1)} dB at worst`];
  });
  return [
    trustText(outcomes),
    "",
    ...table(
      ["method", "n", "done", "kept dB", "truth dB", "prepare s", "edit s", "predictions", "gradients"],
      [...summary, ["the VAE alone", "", "", ceiling, "", "", "", "", ""]],
    ),
    "",
    `${figures.map(({ about }) => about).join(". ")}. Seconds are medians, predictions and gradients of the U-Net means.`,
    ...(differences.length === 0
      ? []
      : [
          "",
          `Difference to ${reference}, mean and 95 % bootstrap interval over the pairs; bold if the interval excludes 0:`,
          "",
          ...table(["method", "done, points", "kept dB", "truth dB"], differences),
        ]),
    ...figures.flatMap((figure) => [
      "",
      ...table(
        [`${figure.name}: pairs`, "n", ...names],
        groupsOf(outcomes).map(([group, isIn]) => [
          group,
          `${new Set(outcomes.filter(isIn).map(({ pair }) => pair)).size}`,
          ...names.map((name) => meanText(figure, of(name).filter(isIn))),
        ]),
      ),
    ]),
    ...(reconstructed.length === 0 ? [] : ["", `Reconstruction to the VAE's round trip: ${reconstructed.join("; ")}.`]),
  ].join("\n");
}
