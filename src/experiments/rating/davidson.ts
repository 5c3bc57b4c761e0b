import { solvePositive } from "./solve.ts";

/** Results of the comparisons of two methods, by their index. */
export interface Duel {
  readonly first: number;
  readonly second: number;
  /** Number of comparisons that the first and the second won, and that neither won. */
  readonly firstWins: number;
  readonly secondWins: number;
  readonly ties: number;
}

export interface Davidson {
  /** Logarithm of each method's strength. Their sum is 0. */
  readonly strengths: readonly number[];
  /** ν: between two methods of equal strength, a tie is ν times as likely as a win of one of them. */
  readonly ties: number;
}

const mostSteps = 100;
const mostHalvings = 30;

/** Log-likelihood, its gradient, and its information: the negative of its second derivatives. */
interface Slope {
  readonly value: number;
  readonly gradient: Float64Array;
  readonly information: Float64Array[];
}

/** Probabilities of a win of the first, a win of the second, and a tie. */
function probabilities(a: number, b: number, tie: number): [number, number, number] {
  const top = Math.max(a, b, tie);
  const weights = [a, b, tie].map((x) => Math.exp(x - top));
  const sum = weights[0] + weights[1] + weights[2];
  return [weights[0] / sum, weights[1] / sum, weights[2] / sum];
}

const logOf = (count: number, p: number): number => (count === 0 ? 0 : count * Math.log(p));

/** parameters: the logarithms of the strengths and, if there are ties, of ν. */
function slopeAt(parameters: Float64Array, methods: number, duels: readonly Duel[], pseudo: number): Slope {
  const size = parameters.length;
  const hasTies = size > methods;
  const gradient = new Float64Array(size);
  const information = Array.from({ length: size }, () => new Float64Array(size));
  let value = 0;

  for (const { first, second, firstWins, secondWins, ties } of duels) {
    const [a, b] = [parameters[first], parameters[second]];
    const logNu = hasTies ? parameters[methods] : Number.NEGATIVE_INFINITY;
    const [p, q, tie] = probabilities(a, b, logNu + (a + b) / 2);
    const n = firstWins + secondWins + ties;
    value += logOf(firstWins, p) + logOf(secondWins, q) + logOf(ties, tie);
    // The model is log-linear: a win adds 1 to its method's feature, a tie ½ to both and 1 to that of ν.
    const at = hasTies ? [first, second, methods] : [first, second];
    const counted = [firstWins + ties / 2, secondWins + ties / 2, ties];
    const mean = [p + tie / 2, q + tie / 2, tie];
    const square = [
      [p + tie / 4, tie / 4, tie / 2],
      [tie / 4, q + tie / 4, tie / 2],
      [tie / 2, tie / 2, tie],
    ];
    for (const [i, row] of at.entries()) {
      gradient[row] += counted[i] - n * mean[i];
      for (const [j, column] of at.entries()) information[row][column] += n * (square[i][j] - mean[i] * mean[j]);
    }
  }

  // Half a win and half a loss of each method against a method of strength 1; half a tie and half a win among equal ones.
  for (let k = 0; k < size; k++) {
    const odds = k < methods ? Math.exp(parameters[k]) : Math.exp(parameters[k]) / 2;
    const p = odds / (1 + odds);
    value += pseudo === 0 ? 0 : pseudo * (Math.log(p) + Math.log(1 - p));
    gradient[k] += pseudo * (1 - 2 * p);
    information[k][k] += 2 * pseudo * p * (1 - p);
  }

  // Only ratios of strengths matter. This term holds the sum of their logarithms at 0.
  let sum = 0;
  for (let k = 0; k < methods; k++) sum += parameters[k];
  value -= sum ** 2 / 2;
  for (let i = 0; i < methods; i++) {
    gradient[i] -= sum;
    for (let j = 0; j < methods; j++) information[i][j] += 1;
  }
  return { value, gradient, information };
}

/** Goes as far along `move`, or half as far, a quarter, …, as the value does not sink. Undefined if it always does. */
function betterPoint(
  from: Float64Array,
  move: Float64Array,
  slopeOf: (point: Float64Array) => Slope,
  value: number,
): [Float64Array, Slope] | undefined {
  for (let halving = 0; halving < mostHalvings; halving++) {
    const point = from.map((x, k) => x + move[k] / 2 ** halving);
    const slope = slopeOf(point);
    if (slope.value >= value) return [point, slope];
  }
  return undefined;
}

/**
 * Fits the Bradley-Terry model with ties of Davidson 1970, "On Extending the Bradley-Terry Model to Accommodate Ties in Paired
 * Comparison Experiments": the first of two methods wins, the second wins, or they tie with odds π₁ : π₂ : ν·√(π₁·π₂).
 * Newton's method on the logarithms; the likelihood is concave in them.
 *
 * Davidson's model and not that of Rao and Kupper 1967: a tie then says nothing about the odds of the two wins, and with
 * equally many comparisons of all pairs the order of the strengths is that of wins plus half of the ties.
 *
 * pseudo: weight of one invented win and loss of each method, as in the R package PlackettLuce (Turner et al. 2020). It keeps
 * the strength of a method finite that wins or loses always. 0 gives the likelihood's own maximum, if it has one.
 */
export function fitDavidson(methods: number, duels: readonly Duel[], pseudo = 0.5): Davidson {
  const hasTies = duels.some(({ ties }) => ties > 0);
  let parameters: Float64Array = new Float64Array(methods + (hasTies ? 1 : 0));
  let slope = slopeAt(parameters, methods, duels, pseudo);
  for (let step = 0; step < mostSteps; step++) {
    const move = solvePositive(slope.information, slope.gradient);
    // Twice what the step would gain. Rounding hides smaller gains, and the step after such a one is zero.
    const gain = move.reduce((sum, x, k) => sum + x * slope.gradient[k], 0);
    if (gain <= 1e-12 * Math.max(1, Math.abs(slope.value))) {
      parameters = parameters.map((x, k) => x + move[k]);
      break;
    }
    const next = betterPoint(parameters, move, (point) => slopeAt(point, methods, duels, pseudo), slope.value);
    if (!next) break;
    [parameters, slope] = next;
  }
  const strengths = [...parameters.subarray(0, methods)];
  const mean = strengths.reduce((sum, x) => sum + x, 0) / methods;
  return { strengths: strengths.map((x) => x - mean), ties: hasTies ? Math.exp(parameters[methods]) : 0 };
}
