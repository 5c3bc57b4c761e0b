/** Report of the measured pairs. */
import { bootstrapInterval, pairedDifferences } from "../metrics/index.ts";
import type { Outcome } from "./outcome.ts";

/** The judge must find this share of the requested changes in the true results; otherwise its figures do not count. */
const trustedFrom = 0.99;
/** The bootstrap interval of fewer pairs is much too narrow, and that of one pair has no width at all. */
const fewestForInterval = 10;

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const defined = (values: readonly (number | undefined)[]): number[] => values.filter((x) => x !== undefined);
const decibels = (values: readonly (number | undefined)[]): string => {
  const known = defined(values);
  return known.length === 0 ? "–" : mean(known).toFixed(1);
};
const percent = (values: readonly boolean[]): string =>
  values.length === 0 ? "–" : `${((100 * values.filter(Boolean).length) / values.length).toFixed(0)} %`;

function line(name: string, outcomes: readonly Outcome[]): string {
  const done = (who: "baret" | "plain") =>
    outcomes.map(({ requested, found }) => found[who].length === requested.length);
  const cells = [
    name,
    outcomes.length,
    percent(done("baret")),
    percent(done("plain")),
    decibels(outcomes.map((o) => o.baret.kept)),
    decibels(outcomes.map((o) => o.plain.kept)),
    decibels(outcomes.map((o) => o.ceiling)),
    decibels(outcomes.map((o) => o.baret.truth)),
    decibels(outcomes.map((o) => o.plain.truth)),
  ];
  return `| ${cells.join(" | ")} |`;
}

function difference(
  name: string,
  first: readonly (number | undefined)[],
  second: readonly (number | undefined)[],
): string {
  const values = pairedDifferences(first, second);
  if (values.length === 0) return `${name}: no pair has both values`;
  const count = values.length;
  if (count < fewestForInterval) {
    const pairs = count === 1 ? "1 pair" : `${count} pairs`;
    return `${name}: ${mean(values).toFixed(2)} dB, ${pairs}: too few for an interval (at least ${fewestForInterval})`;
  }
  const { mean: value, low, high } = bootstrapInterval(values);
  const verdict = low > 0 ? "BARET is better" : high < 0 ? "plain sampling is better" : "no difference shown";
  return `${name}: ${value.toFixed(2)} dB, 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}, ${count} pairs: ${verdict}`;
}

/** The whole report, in Markdown. */
export function qualityReport(outcomes: readonly Outcome[]): string {
  const kinds = [...new Set(outcomes.map(({ kind }) => kind))];
  const requested = outcomes.reduce((sum, o) => sum + o.requested.length, 0);
  const found = outcomes.reduce((sum, o) => sum + o.found.truth.length, 0);
  const groups = {
    all: outcomes,
    "combinations that training has": outcomes.filter((o) => !o.heldOut),
    "combinations left out": outcomes.filter((o) => o.heldOut),
  };
  return [
    `The judge finds ${found} of ${requested} requested changes in the true results (${((100 * found) / requested).toFixed(1)} %)` +
      (found >= trustedFrom * requested ? "." : ': below 99 %, so the columns "done" do not count.'),
    "",
    "| pairs | n | done: BARET | plain | kept dB: BARET | plain | VAE alone | truth dB: BARET | plain |",
    "|---|---|---|---|---|---|---|---|---|",
    ...Object.entries(groups).map(([name, own]) => line(name, own)),
    ...kinds.flatMap((kind) =>
      [false, true]
        .map((heldOut) => ({ heldOut, own: outcomes.filter((o) => o.kind === kind && o.heldOut === heldOut) }))
        .filter(({ own }) => own.length > 0)
        .map(({ heldOut, own }) => line(`${kind}${heldOut ? ", left out" : ""}`, own)),
    ),
    "",
    ...Object.entries(groups).flatMap(([name, own]) => [
      difference(
        `background preservation, BARET − plain, ${name}`,
        own.map((o) => o.baret.kept),
        own.map((o) => o.plain.kept),
      ),
      difference(
        `PSNR to the truth, BARET − plain, ${name}`,
        own.map((o) => o.baret.truth),
        own.map((o) => o.plain.truth),
      ),
    ]),
    "",
    `Reconstruction against the VAE's round trip: ${mean(outcomes.map((o) => o.reconstruction)).toFixed(1)} dB on average, ` +
      `${Math.min(...outcomes.map((o) => o.reconstruction)).toFixed(1)} dB at worst; ` +
      `${mean(outcomes.map((o) => o.iterations)).toFixed(0)} iterations a photo.`,
  ].join("\n");
}
