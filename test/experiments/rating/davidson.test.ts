import { expect, test } from "vitest";
import { Random } from "../../../src/core/index.ts";
import { type Duel, fitDavidson } from "../../../src/experiments/rating/davidson.ts";

const duel = (first: number, second: number, firstWins: number, secondWins: number, ties = 0): Duel => ({
  first,
  second,
  firstWins,
  secondWins,
  ties,
});

/** Chocolate puddings, example 2 of Davidson 1970: two brands, preferences for each, and ties. */
const puddings = [
  [1, 2, 19, 22, 16],
  [1, 3, 16, 19, 12],
  [2, 3, 19, 19, 10],
  [1, 4, 18, 23, 13],
  [2, 4, 23, 19, 9],
  [3, 4, 19, 20, 15],
  [1, 5, 13, 19, 18],
  [2, 5, 16, 20, 12],
  [3, 5, 16, 15, 17],
  [4, 5, 17, 14, 16],
  [1, 6, 18, 21, 12],
  [2, 6, 22, 20, 12],
  [3, 6, 13, 18, 10],
  [4, 6, 14, 19, 18],
  [5, 6, 11, 21, 12],
].map(([i, j, ...counts]) => duel(i - 1, j - 1, counts[0], counts[1], counts[2]));

const shares = (strengths: readonly number[]): number[] => {
  const powers = strengths.map(Math.exp);
  const sum = powers.reduce((total, x) => total + x, 0);
  return powers.map((x) => x / sum);
};
const closeTo = (values: readonly number[], digits: number) => values.map((x) => expect.closeTo(x, digits));

test("strengths and ties of Davidson's own example are the published ones", () => {
  // Davidson 1970, as the R package hyper2 quotes it. He stopped after a few iterations: the fifth digit differs.
  const { strengths, ties } = fitDavidson(6, puddings, 0);
  expect(shares(strengths)).toEqual(closeTo([0.1388005, 0.1729985, 0.161742, 0.165393, 0.1586805, 0.2023855], 4));
  expect(ties).toBeCloseTo(0.7468147, 4);
  // The maximum of the likelihood by scipy 1.17.1, scipy.optimize.minimize(method="BFGS", gtol=1e-9).
  expect(shares(strengths)).toEqual(
    closeTo([0.13880337, 0.17300151, 0.16174743, 0.16537295, 0.1586854, 0.20238934], 7),
  );
  expect(ties).toBeCloseTo(0.74682298, 7);
});

test("without ties, strengths are those of Bradley and Terry: citations of four journals", () => {
  // Stigler 1994, in Agresti 2002, p. 448: citations of Biometrika, Communications in Statistics, JASA, JRSS-B by each other.
  const citations = [
    duel(0, 1, 730, 33),
    duel(0, 2, 498, 320),
    duel(0, 3, 221, 284),
    duel(1, 2, 68, 813),
    duel(1, 3, 17, 276),
    duel(2, 3, 142, 325),
  ];
  const { strengths, ties } = fitDavidson(4, citations, 0);
  const overBiometrika = strengths.map((x) => x - strengths[0]);
  // choix 0.4.1: choix.ilsr_pairwise(4, data, tol=1e-12).
  expect(overBiometrika).toEqual(closeTo([0, -2.9490725, -0.47956977, 0.26895406], 7));
  expect(ties).toBe(0);
});

test("two methods have the odds of their wins, and ν is ties over the geometric mean of the wins", () => {
  const { strengths, ties } = fitDavidson(2, [duel(0, 1, 40, 10, 30)], 0);
  expect(strengths[0] - strengths[1]).toBeCloseTo(Math.log(4), 10);
  expect(ties).toBeCloseTo(30 / Math.sqrt(40 * 10), 10);
});

test("with equally many comparisons of all pairs, the order is that of wins plus half of the ties", () => {
  const random = new Random(3);
  for (let run = 0; run < 30; run++) {
    const points = new Float64Array(5);
    const duels: Duel[] = [];
    for (let i = 0; i < 5; i++) {
      for (let j = i + 1; j < 5; j++) {
        const first = random.below(21);
        const ties = random.below(21 - first);
        duels.push(duel(i, j, first, 20 - first - ties, ties));
        points[i] += first + ties / 2;
        points[j] += 20 - first - ties / 2;
      }
    }
    const { strengths } = fitDavidson(5, duels);
    const order = (of: ArrayLike<number>) => [0, 1, 2, 3, 4].sort((a, b) => of[b] - of[a] || a - b);
    expect(order(strengths.map((x) => Math.round(1e8 * x)))).toEqual(order(points));
  }
});

test.each([
  ["a method that always wins", [duel(0, 1, 9, 0, 0), duel(1, 2, 5, 5, 2)]],
  ["ties only", [duel(0, 1, 0, 0, 10), duel(1, 2, 0, 0, 10)]],
  ["a method that nobody compared", [duel(0, 1, 3, 4, 1)]],
  ["one comparison", [duel(0, 1, 1, 0)]],
  ["none", []],
  ["a million wins", [duel(0, 1, 1e6, 0, 0), duel(1, 2, 1e6, 0, 0)]],
])("strengths are finite with %s, and their sum is 0", (_, duels) => {
  const { strengths, ties } = fitDavidson(3, duels);
  for (const x of [...strengths, ties]) expect(Number.isFinite(x)).toBe(true);
  expect(strengths.reduce((sum, x) => sum + x, 0)).toBeCloseTo(0, 10);
});

test("a method that always wins is as strong as its wins and the invented games say", () => {
  const [strong, weak] = fitDavidson(2, [duel(0, 1, 9, 0)]).strengths;
  expect(strong).toBeCloseTo(-weak, 12);
  // Where d/dx (9·log σ(2x) + log σ(x) + log σ(−x)) is 0: half a win and half a loss of each of the two methods.
  const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
  expect(18 * (1 - logistic(2 * strong)) + 1 - 2 * logistic(strong)).toBeCloseTo(0, 10);
});
