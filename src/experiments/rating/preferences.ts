import { average } from "../../metrics/index.ts";
import { groupBy } from "../groups.ts";
import { raterAgreement } from "./agreement.ts";
import type { ByRater, PairAnswer } from "./answers.ts";
import { type Davidson, type Duel, fitDavidson } from "./davidson.ts";
import { type Measured, measureOver } from "./measured.ts";

export type Compared = ByRater<PairAnswer>;

/** A comparison without its sides: the two methods by name, and the preferred one. */
export interface Preference {
  readonly first: string;
  readonly second: string;
  readonly preferred: "first" | "second" | "tie" | "bad";
}

export function preferenceOf({ left, right, choice }: PairAnswer): Preference {
  const isSorted = left.method < right.method;
  const [first, second] = isSorted ? [left.method, right.method] : [right.method, left.method];
  if (choice === "tie" || choice === "bad") return { first, second, preferred: choice };
  return { first, second, preferred: (choice === "left") === isSorted ? "first" : "second" };
}

/**
 * Counts the results of comparisons by pair of methods: wins of the first, wins of the second, and ties. "Both are bad" counts
 * as a tie, because it prefers neither.
 */
function countsOf(methods: readonly string[], preferences: readonly Preference[]): Float64Array {
  const counts = new Float64Array(3 * methods.length ** 2);
  for (const { first, second, preferred } of preferences) {
    const result = preferred === "first" ? 0 : preferred === "second" ? 1 : 2;
    counts[3 * (methods.indexOf(first) * methods.length + methods.indexOf(second)) + result]++;
  }
  return counts;
}

/** Fits Davidson's model to the sum of some counts. */
function fitted(methods: number, some: readonly Float64Array[]): Davidson {
  const sum = new Float64Array(3 * methods ** 2);
  for (const counts of some) for (let k = 0; k < sum.length; k++) sum[k] += counts[k];
  const duels = Array.from({ length: methods ** 2 }, (_, pair): Duel => {
    const [firstWins, secondWins, ties] = sum.subarray(3 * pair);
    return { first: Math.floor(pair / methods), second: pair % methods, firstWins, secondWins, ties };
  });
  return fitDavidson(
    methods,
    duels.filter(({ firstWins, secondWins, ties }) => firstWins + secondWins + ties > 0),
  );
}

/** Preferences for a method. */
export interface MethodPreferences {
  readonly method: string;
  readonly comparisons: number;
  /** Logarithm of its strength in Davidson's model. The mean of all methods is 0. */
  readonly strength: Measured;
  /** Share of its comparisons that it won, with half of the ties and of "both are bad". */
  readonly won?: number;
  /** Share of its comparisons with "both are bad". */
  readonly bad?: number;
}

export interface Preferences {
  readonly methods: readonly MethodPreferences[];
  /** Davidson's ν: how often raters prefer neither of two equally strong methods, against each win. */
  readonly ties: number;
}

/** Points of a method in a comparison: 1 for a win, ½ for a tie, 0 for a loss. */
const pointsOf = (method: string, { first, preferred }: Preference): number =>
  preferred === "tie" || preferred === "bad" ? 0.5 : Number((preferred === "first") === (first === method));

/** Fits the strengths of methods. Their intervals resample the cases. */
export function methodPreferences(methods: readonly string[], answers: readonly Compared[]): Preferences {
  const cases = [...groupBy(answers, (answer) => answer.case).values()].map((own) => own.map(preferenceOf));
  const counted = cases.map((own) => countsOf(methods, own));
  const strengths = measureOver(counted, (some) => fitted(methods.length, some).strengths);
  const all = cases.flat();
  return {
    methods: methods.map((method, k) => {
      const own = all.filter(({ first, second }) => first === method || second === method);
      return {
        method,
        comparisons: own.length,
        strength: strengths[k],
        won: average(own.map((one) => pointsOf(method, one))),
        bad: average(own.map(({ preferred }) => Number(preferred === "bad"))),
      };
    }),
    ties: fitted(methods.length, counted).ties,
  };
}

const results: readonly Preference["preferred"][] = ["first", "second", "tie", "bad"];
const exchanged: readonly Preference["preferred"][] = ["second", "first", "tie", "bad"];

/**
 * Measures the agreement of raters about the same pairs. The four answers have no order. Every pair counts in both orders,
 * because which of its methods is the first says nothing.
 */
export function preferenceAgreement(answers: readonly Compared[]): Measured {
  const rated = answers.flatMap((answer) => {
    const { first, second, preferred } = preferenceOf(answer);
    return [results, exchanged].map((order, k) => ({
      case: answer.case,
      unit: JSON.stringify([first, second, k]),
      value: order.indexOf(preferred),
    }));
  });
  return raterAgreement(rated, results.length, "nominal");
}
