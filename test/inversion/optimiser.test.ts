import { expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/core/index.ts";
import { openArithmeticHere } from "../../src/diffusion/index.ts";
import { Adam, gradientDescent, type Optimiser } from "../../src/inversion/index.ts";

const x = tensor([1, 2], Float32Array.of(1, -2));
const gradient = tensor([1, 2], Float32Array.of(0.25, -8));

/** x after steps down a gradient at rate 0.5. */
const stepped = (optimiser: Optimiser, down: Tensor, steps = 1): Promise<Float32Array> =>
  openArithmeticHere.during(async (math) => {
    const descent = await optimiser.begin(math);
    let [y] = await math.put([x]);
    for (let k = 0; k < steps; k++) y = await descent.step(y, down, 0.5);
    await descent.end();
    return (await math.read([y]))[0].data;
  });

test("gradient descent goes down the gradient by scale times rate, and forgets nothing", async () => {
  const optimiser = gradientDescent(4);
  expect([...(await stepped(optimiser, gradient))]).toEqual([0.5, 14]);
  optimiser.reset();
  expect([...(await stepped(optimiser, gradient))]).toEqual([0.5, 14]);
  expect([...(await stepped(gradientDescent(), gradient))]).toEqual([0.875, 2]);
});

test("Adam goes on from the moments that it stored", async () => {
  const moments = tensor([2, 2]);
  const whole = await stepped(new Adam(tensor([2, 2])), gradient, 3);
  await stepped(new Adam(moments), gradient, 2);
  const [last, before] = [
    await stepped(new Adam(moments, 2), gradient),
    await stepped(new Adam(tensor([2, 2])), gradient, 2),
  ];
  for (const k of [0, 1]) expect(last[k] - x.data[k]).toBeCloseTo(whole[k] - before[k], 6);
});

test("a factor on the gradient is one on the rate of gradient descent, and nothing to Adam", async () => {
  const scaled = tensor(
    [1, 2],
    gradient.data.map((value) => value * (6.5 / 7.5)),
  );
  const [plain, less] = await Promise.all([gradient, scaled].map((one) => stepped(gradientDescent(), one)));
  for (const k of [0, 1]) expect((less[k] - x.data[k]) / (plain[k] - x.data[k])).toBeCloseTo(6.5 / 7.5, 5);
  const [given, other] = await Promise.all([gradient, scaled].map((one) => stepped(new Adam(tensor([2, 2])), one)));
  for (const k of [0, 1]) expect(other[k]).toBeCloseTo(given[k], 5);
});
