import { expect, test } from "vitest";
import { tensor } from "../../src/core/index.ts";
import { Adam, gradientDescent } from "../../src/inversion/index.ts";

const x = tensor([2], Float32Array.of(1, -2));
const gradient = tensor([2], Float32Array.of(0.25, -8));

test("gradient descent goes down the gradient by scale times rate, and forgets nothing", () => {
  const optimiser = gradientDescent(4);
  expect([...optimiser.step(x, gradient, 0.5).data]).toEqual([0.5, 14]);
  optimiser.reset();
  expect([...optimiser.step(x, gradient, 0.5).data]).toEqual([0.5, 14]);
  expect([...gradientDescent().step(x, gradient, 0.5).data]).toEqual([0.875, 2]);
});

test("a factor on the gradient is one on the rate of gradient descent, and nothing to Adam", () => {
  const scaled = tensor(
    [2],
    gradient.data.map((value) => value * (6.5 / 7.5)),
  );
  const [plain, less] = [gradient, scaled].map((one) => gradientDescent().step(x, one, 0.5).data);
  for (const k of [0, 1]) expect((less[k] - x.data[k]) / (plain[k] - x.data[k])).toBeCloseTo(6.5 / 7.5, 5);
  const adam = (one: typeof gradient) => new Adam(tensor([2, 2])).step(x, one, 0.5).data;
  for (const k of [0, 1]) expect(adam(scaled)[k]).toBeCloseTo(adam(gradient)[k], 5);
});
