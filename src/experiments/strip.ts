/** Chooses from the strips of pairs whose true result is known, with each scorer, and reports the results. */
import { type Candidate, chooseStrength, type Scorer } from "../editing/index.ts";
import { bootstrapInterval } from "../metrics/index.ts";
import type { TruthScore } from "./truthScore.ts";

/** The scorers that are compared. */
export type ScorerName = "clip" | "noise";

/** One edit of a strip. */
export interface StripPoint extends TruthScore {
  readonly keep: number;
  readonly scores: Readonly<Record<ScorerName, number>>;
}

/** All edits of a strip, from the one that keeps most to plain sampling. */
export interface ScoredStrip {
  readonly name: string;
  readonly kind: string;
  readonly heldOut: boolean;
  /** The photo's own scores. */
  readonly photo: Readonly<Record<ScorerName, number>>;
  readonly points: readonly StripPoint[];
}

/** Chooses from a strip as an edit does. Returns the choice and the number of edits that it tried. */
export async function chosenFrom(
  { photo, points }: ScoredStrip,
  names: readonly ScorerName[],
): Promise<{ point: StripPoint; tried: number }> {
  type Known = Candidate & { readonly point?: StripPoint };
  const known = (point?: StripPoint): Known => ({ point }) as Known;
  const scorers = names.map(
    (name): Scorer => ({
      name,
      score: async (edits: readonly Known[]) => edits.map(({ point }) => (point ? point.scores : photo)[name]),
    }),
  );
  const make = async (keeps: readonly number[]): Promise<Known[]> =>
    keeps.map((keep) => known(points.find((point) => point.keep === keep)));
  const { chosen, tried } = await chooseStrength(scorers, known(), make);
  return { point: chosen.edit.point!, tried: tried.length };
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Returns a row: chosen edits beside plain sampling. */
function row(name: string, plain: readonly StripPoint[], chosen: readonly StripPoint[], tried: string): string {
  const share = (points: readonly StripPoint[]) =>
    `${((100 * points.filter(({ done }) => done).length) / points.length).toFixed(0)} %`;
  const gain = (of: (point: StripPoint) => number | undefined): string => {
    const values = chosen.flatMap((point, k) => {
      const [own, other] = [of(point), of(plain[k])];
      return own === undefined || other === undefined ? [] : [own - other];
    });
    if (values.length < 2) return "–";
    const { mean, low, high } = bootstrapInterval(values);
    return `${mean.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  };
  const cells = [name, tried, share(chosen), gain(({ kept }) => kept), gain(({ truth }) => truth)];
  return `| ${cells.join(" | ")} |`;
}

/**
 * Reports what fixed shares of the strip and the scorers reach beside plain sampling, in Markdown. plainAt: share of the strip
 * that is plain sampling.
 */
export async function stripReport(strips: readonly ScoredStrip[], plainAt: number): Promise<string> {
  const at = (keep: number) => strips.map(({ points }) => points.find((point) => point.keep === keep)!);
  const plain = at(plainAt);
  const rows = strips[0].points.map(({ keep }) =>
    row(keep === plainAt ? `keep ${keep}: plain sampling` : `keep ${keep}`, plain, at(keep), "1"),
  );
  for (const names of [["clip"], ["noise"], ["clip", "noise"]] as const) {
    const chosen = await Promise.all(strips.map((strip) => chosenFrom(strip, names)));
    const tried = mean(chosen.map((one) => one.tried)).toFixed(1);
    const points = chosen.map(({ point }) => point);
    rows.push(row(`chosen by ${names.join(" and ")}`, plain, points, tried));
  }
  const nearest = strips.map(({ points }) => points.reduce((a, b) => (b.truth > a.truth ? b : a)));
  rows.push(row("nearest to the truth", plain, nearest, `${strips[0].points.length}`));
  return [
    `${strips.length} pairs`,
    "",
    "| edit | tried | done | kept − plain, dB | truth − plain, dB |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}
