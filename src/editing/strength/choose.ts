import type { Candidate, Scorer } from "./scorer.ts";

/** One edit of a strip with its scores. */
export interface Tried<T extends Candidate = Candidate> {
  /** Share of the strip: 1 keeps the photo, 0 follows the prompt. */
  readonly keep: number;
  /** Scores by scorer. */
  readonly scores: Readonly<Record<string, number>>;
  /** Position between the photo (0) and the best edit (1), by the scorer that gives the lowest. */
  readonly match: number;
  readonly edit: T;
}

/** The edit that was chosen, and those that it was chosen from. */
export interface Choice<T extends Candidate = Candidate> {
  /** The photo's own scores, by scorer. */
  readonly photo: Readonly<Record<string, number>>;
  /** The least match that was enough. */
  readonly enough: number;
  readonly chosen: Tried<T>;
  /** From the one that keeps most to the one that follows the prompt most. */
  readonly tried: readonly Tried<T>[];
}

/** Number of steps of a strip, from keep 1 to keep 0. */
export const stripSteps = 8;
/** Edits of the first round, in steps from the one that keeps most. */
const coarse = [0, 2, 4, 6, 8];

/**
 * Returns the share of the best match that is enough, found on tuning pairs (docs/benchmarks.md). Two scorers watch each other.
 */
const enoughOf = (scorers: readonly Scorer[]): number => (scorers.length > 1 ? 0.75 : 0.8);

/**
 * Chooses, of the edits of a strip, the one that keeps most of the photo and still shows the target prompt about as well as
 * the best one. First tries every second edit; then the one between the chosen one and its neighbour that keeps more.
 *
 * make: computes the edits of some shares. all: tries every edit of the strip.
 */
export async function chooseStrength<T extends Candidate>(
  scorers: readonly Scorer[],
  photo: Candidate,
  make: (keeps: readonly number[]) => Promise<readonly T[]>,
  { all = false, signal }: { readonly all?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Choice<T>> {
  const scoresOf = async (edits: readonly Candidate[]): Promise<Record<string, number>[]> => {
    const scores = edits.map((): Record<string, number> => ({}));
    for (const { name, score } of scorers) {
      for (const [k, value] of (await score(edits, signal)).entries()) scores[k][name] = value;
    }
    return scores;
  };
  const [own] = await scoresOf([photo]);
  const made = new Map<number, Omit<Tried<T>, "match">>();
  const attempt = async (steps: readonly number[]): Promise<void> => {
    const keeps = steps.map((step) => 1 - step / stripSteps);
    const edits = await make(keeps);
    const scores = await scoresOf(edits);
    steps.forEach((step, k) => {
      made.set(step, { keep: keeps[k], scores: scores[k], edit: edits[k] });
    });
  };
  const decide = () => {
    const tried = [...made].sort(([a], [b]) => a - b);
    const matches = matchesOf(
      tried.map(([, { scores }]) => scores),
      own,
    );
    const best = Math.max(...matches);
    const enough = best > 0 ? enoughOf(scorers) * best : best;
    const at = matches.findIndex((match) => match >= enough);
    return { step: tried[at][0], at, enough, tried: tried.map(([, one], k) => ({ ...one, match: matches[k] })) };
  };
  await attempt(all ? Array.from({ length: stripSteps + 1 }, (_, step) => step) : coarse);
  const { step } = decide();
  if (step > 0 && !made.has(step - 1)) await attempt([step - 1]);
  const { at, enough, tried } = decide();
  return { photo: own, enough, chosen: tried[at], tried };
}

/** Returns each edit's match. scores: of each edit, by scorer. */
function matchesOf(
  scores: readonly Readonly<Record<string, number>>[],
  photo: Readonly<Record<string, number>>,
): number[] {
  const names = Object.keys(photo);
  const best = Object.fromEntries(names.map((name) => [name, Math.max(...scores.map((own) => own[name]))]));
  return scores.map((own) =>
    Math.min(
      // If no edit scores better than the photo, the best one counts and all others do not.
      ...names.map((name) =>
        best[name] > photo[name]
          ? (own[name] - photo[name]) / (best[name] - photo[name])
          : own[name] < best[name]
            ? 0
            : 1,
      ),
    ),
  );
}
