import type { TruthScore } from "../../src/experiments/index.ts";
import { bootstrapInterval, pairedDifferences } from "../../src/metrics/index.ts";

/** Measurements of one pair. */
export interface Measured {
  readonly name: string;
  readonly kind: string;
  /** True if the edit should change the pose. */
  readonly isPose: boolean;
  /** PSNR in dB of the tuned reconstruction to the VAE's round trip. */
  readonly reconstruction: number;
  /** ‖cᵢ − c*‖ / ‖c*‖ at each sampling step. */
  readonly drift: readonly number[];
  readonly plain: TruthScore;
  /** One score for each range of α. */
  readonly edits: readonly TruthScore[];
}

/** Ranges of α from "as the photo" to "as the prompt". The second is the paper's. */
export const alphas = [
  [0.9, 0.1],
  [0.8, 0.1],
  [0.6, 0.1],
  [0.4, 0.1],
  [0.2, 0],
  [0, 0],
] as const;
const papers = 1;

/** Conditions that a model in the paper's regime meets. */
const wanted = { reconstruction: 36, driftShare: 0.5, poses: 0.8, kept: 2 };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const last = sorted.length - 1;
  return (sorted[Math.floor(last / 2)] + sorted[Math.ceil(last / 2)]) / 2;
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

const signed = (x: number): string => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(1)}`;

/** Mean of the paired difference to plain sampling, with its interval. */
function beyondPlain(pairs: readonly Measured[], k: number, of: (score: TruthScore) => number | undefined) {
  const differences = pairedDifferences(
    pairs.map(({ edits }) => of(edits[k])),
    pairs.map(({ plain }) => of(plain)),
  );
  if (differences.length < 2)
    return { value: mean(differences), text: differences.length ? signed(differences[0]) : "–" };
  const { mean: value, low, high } = bootstrapInterval(differences);
  return { value, text: `${signed(value)} (${signed(low)} to ${signed(high)})` };
}

const count = (scores: readonly TruthScore[]): number => scores.filter(({ done }) => done).length;

/** Table over α, beside plain sampling. */
function table(pairs: readonly Measured[]): string[] {
  const poses = pairs.filter(({ isPose }) => isPose);
  const share = (of: (pair: Measured) => TruthScore): string =>
    `${count(pairs.map(of))}/${pairs.length} | ${count(poses.map(of))}/${poses.length}`;
  const known = pairs.flatMap(({ plain: { kept } }) => kept ?? []);
  const truth = mean(pairs.map(({ plain }) => plain.truth));
  return [
    "| α | done | poses | kept, dB | truth, dB |",
    "|---|---|---|---|---|",
    `| plain | ${share(({ plain }) => plain)} | ${known.length ? mean(known).toFixed(1) : "–"} | ${truth.toFixed(1)} |`,
    ...alphas.map(([from, to], k) => {
      const [kept, true_] = [
        beyondPlain(pairs, k, (score) => score.kept),
        beyondPlain(pairs, k, (score) => score.truth),
      ];
      return `| ${from}:${to} | ${share(({ edits }) => edits[k])} | ${kept.text} | ${true_.text} |`;
    }),
  ];
}

/** One line for each condition of the paper's regime: if it holds, and the figures. */
export function verdicts(pairs: readonly Measured[], distance: number): string[] {
  const line = (holds: boolean | undefined, text: string): string =>
    `- ${holds === undefined ? "cannot be told" : holds ? "holds" : "does not hold"}: ${text}`;
  const least = Math.min(...pairs.map(({ reconstruction }) => reconstruction));
  const drift = median(pairs.map((pair) => mean(pair.drift)));
  const poses = pairs.filter(({ isPose }) => isPose);
  const posed = count(poses.map(({ edits }) => edits[papers])) / poses.length;
  const kept = alphas.map((_, k) => beyondPlain(pairs, k, (score) => score.kept).value);
  const done = alphas.map((_, k) => count(pairs.map(({ edits }) => edits[k])));
  const never = (falls: readonly number[]): boolean => falls.every((x, k) => k === 0 || x >= falls[k - 1]);
  const paper = alphas[papers].join(":");
  return [
    line(
      least >= wanted.reconstruction,
      `tuned to ${wanted.reconstruction} dB of the VAE's round trip (least ${least.toFixed(1)})`,
    ),
    line(
      drift <= wanted.driftShare * distance,
      `drift at most half the distance of two prompts one attribute apart (${drift.toFixed(2)}, ${distance.toFixed(2)})`,
    ),
    line(
      poses.length > 0 ? posed >= wanted.poses : undefined,
      `at α ${paper}, 80 % of the poses (${poses.length ? `${(100 * posed).toFixed(0)} %` : "no pose among the pairs"})`,
    ),
    line(
      kept[papers] >= wanted.kept,
      `at α ${paper}, ${wanted.kept} dB more kept than plain sampling (${signed(kept[papers])})`,
    ),
    line(never(done), `done never falls from one α to the next (${done.join(", ")})`),
    line(never(kept.map((x) => -x)), `kept never rises (${kept.map(signed).join(", ")})`),
  ];
}

/** The whole report as Markdown. distances: medians for prompts that differ in one attribute. */
export function reportOf(pairs: readonly Measured[], distances: Readonly<Record<string, number>>): string {
  const apart = median(Object.values(distances));
  const steps = pairs[0].drift.length;
  const at = [0, 0.2, 0.4, 0.98].map((share) => Math.min(steps - 1, Math.floor(share * steps)));
  const drifts = at.map((i) => median(pairs.map(({ drift }) => drift[i])).toFixed(2));
  return [
    `${pairs.length} pairs. Distances of prompts that differ in one attribute, medians: ` +
      `${Object.entries(distances)
        .map(([name, x]) => `${name} ${x.toFixed(2)}`)
        .join(", ")}; of these ${apart.toFixed(2)}.`,
    `Drift at steps ${at.join(", ")}, medians: ${drifts.join(", ")}. ` +
      `Reconstruction: ${mean(pairs.map(({ reconstruction }) => reconstruction)).toFixed(1)} dB.`,
    "",
    ...table(pairs),
    "",
    "kept and truth after the first row: differences to plain sampling, mean and 95 % interval.",
    "",
    ...verdicts(pairs, apart),
  ].join("\n");
}
