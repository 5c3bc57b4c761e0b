/** Tables of what was measured on pairs. */
import { bootstrapInterval, pairedDifferences } from "../../src/metrics/index.ts";
import type { Outcome, Score } from "./quality.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const defined = (values: readonly (number | undefined)[]): number[] => values.filter((x) => x !== undefined);
const decibels = (values: readonly (number | undefined)[]): string => {
  const known = defined(values);
  return known.length === 0 ? "–" : mean(known).toFixed(1);
};
const percent = (values: readonly boolean[]): string =>
  values.length === 0 ? "–" : `${((100 * values.filter(Boolean).length) / values.length).toFixed(0)} %`;

function line(name: string, outcomes: readonly Outcome[]): string {
  const of = <T>(pick: (score: Score) => T) => [outcomes.map((o) => pick(o.baret)), outcomes.map((o) => pick(o.plain))];
  const [done, plainDone] = of((s) => s.done);
  const [kept, plainKept] = of((s) => s.kept);
  const [truth, plainTruth] = of((s) => s.truth);
  const cells = [
    name,
    outcomes.length,
    percent(done),
    percent(plainDone),
    decibels(kept),
    decibels(plainKept),
    decibels(outcomes.map((o) => o.ceiling)),
    decibels(truth),
    decibels(plainTruth),
  ];
  return `| ${cells.join(" | ")} |`;
}

function difference(
  name: string,
  first: readonly (number | undefined)[],
  second: readonly (number | undefined)[],
): string {
  const values = pairedDifferences(first, second);
  if (values.length === 0) return `${name}: no pair has it`;
  const { mean: value, low, high, count } = bootstrapInterval(values);
  const verdict = low > 0 ? "BARET is better" : high < 0 ? "plain sampling is better" : "no difference shown";
  return `${name}: ${value.toFixed(2)} dB, 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}, ${count} pairs: ${verdict}`;
}

/** The whole report, in Markdown. */
export function qualityReport(outcomes: readonly Outcome[]): string {
  const kinds = [...new Set(outcomes.map(({ kind }) => kind))];
  const asked = outcomes.reduce((sum, o) => sum + o.asked.length, 0);
  const judged = outcomes.reduce((sum, o) => sum + o.judged.length, 0);
  return [
    `The judge finds ${judged} of ${asked} asked-for changes in the true results (${((100 * judged) / asked).toFixed(1)} %).`,
    "",
    "| pairs | n | done: BARET | plain | kept dB: BARET | plain | VAE alone | truth dB: BARET | plain |",
    "|---|---|---|---|---|---|---|---|---|",
    line("all", outcomes),
    line(
      "combinations that training has",
      outcomes.filter((o) => !o.heldOut),
    ),
    line(
      "combinations left out",
      outcomes.filter((o) => o.heldOut),
    ),
    ...kinds.flatMap((kind) =>
      [false, true]
        .map((heldOut) => ({ heldOut, own: outcomes.filter((o) => o.kind === kind && o.heldOut === heldOut) }))
        .filter(({ own }) => own.length > 0)
        .map(({ heldOut, own }) => line(`${kind}${heldOut ? ", left out" : ""}`, own)),
    ),
    "",
    difference(
      "kept content, BARET − plain",
      outcomes.map((o) => o.baret.kept),
      outcomes.map((o) => o.plain.kept),
    ),
    difference(
      "nearness to the truth, BARET − plain",
      outcomes.map((o) => o.baret.truth),
      outcomes.map((o) => o.plain.truth),
    ),
    "",
    `Reconstruction against the VAE's round trip: ${mean(outcomes.map((o) => o.reconstruction)).toFixed(1)} dB on average, ` +
      `${Math.min(...outcomes.map((o) => o.reconstruction)).toFixed(1)} dB at worst; ` +
      `${mean(outcomes.map((o) => o.iterations)).toFixed(0)} iterations a photo.`,
  ].join("\n");
}
