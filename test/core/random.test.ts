import { describe, expect, test } from "vitest";
import { exactLog, inverseNormal, noise, Random } from "../../src/core/index.ts";

describe("seeded randomness", () => {
  // python3 -c "from statistics import NormalDist as N; print([N().inv_cdf(p) for p in (...)])"
  test.each([
    [0.5, 0],
    [0.6, 0.2533471031357998],
    [0.9, 1.2815515655446008],
    [0.925, 1.439531470938456],
    [0.99, 2.3263478740408408],
    [0.999, 3.090232306167813],
    [1e-5, -4.2648907939228256],
    [1e-12, -7.034483825301132],
    [1e-16, -8.222082216130435],
  ])("the normal quantile at %d is %d", (p, x) => {
    expect(Math.abs(inverseNormal(p) - x)).toBeLessThanOrEqual(4e-15 * Math.max(1, Math.abs(x)));
  });

  test("the logarithm is accurate to the last digits over the whole range", () => {
    for (const x of [1e-300, 1e-16, 0.1, 0.49999, 0.5, 0.9999999, 1, 1.0000001, Math.SQRT2, 2, 3.3, 1e10, 1e300]) {
      expect(Math.abs(exactLog(x) - Math.log(x))).toBeLessThanOrEqual(1e-15 * Math.max(1, Math.abs(Math.log(x))));
    }
  });

  test("noise has mean 0 and variance 1", () => {
    const { data } = noise([100_000], 3);
    const mean = data.reduce((s, x) => s + x, 0) / data.length;
    const variance = data.reduce((s, x) => s + x * x, 0) / data.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(variance - 1)).toBeLessThan(0.015);
  });

  test("one seed gives one sequence, another seed or stream another", () => {
    const draw = (seed: number, stream?: number) => {
      const random = new Random(seed, stream);
      return Array.from({ length: 8 }, () => random.uint32());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7)).not.toEqual(draw(7, 1));
    expect(draw(2 ** 40 + 7)).not.toEqual(draw(7));
  });

  test("integers below n are all drawn, and n never is", () => {
    const random = new Random(1);
    const seen = new Set(Array.from({ length: 1000 }, () => random.below(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});
