import { expect, test } from "vitest";
import { combine, meanSquaredError, noise, rootMeanSquare, row, type Tensor, unstack } from "../../src/core/index.ts";
import { alphasCumprod } from "../../src/diffusion/index.ts";
import { drawExamples, stateSets } from "../../src/tuning/index.ts";
import { parseScheduler, type SchedulerConfig } from "../../src/weights/index.ts";

const scheduler = parseScheduler(
  { beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012, num_train_timesteps: 1000 },
  "scheduler_config.json",
);
const velocity: SchedulerConfig = { ...scheduler, prediction: "v_prediction" };
const latent = noise([1, 4, 8, 8], 3);
const draw = (k: number, { batch = 1, ...more }: { batch?: number; seed?: number; scheduler?: SchedulerConfig } = {}) =>
  drawExamples({ views: Array(batch).fill({ latent }), scheduler, seed: 0, ...more }, k);

test("a step's examples depend on seed and step alone, and differ from those of others", () => {
  expect(draw(7)).toEqual(draw(7));
  const others = [draw(8), draw(7, { seed: 1 }), draw(6)];
  for (const { noisy } of others) expect(noisy.data).not.toEqual(draw(7).noisy.data);
  // A larger batch begins with the examples of a smaller one.
  const [first] = unstack(draw(7, { batch: 3 }).noisy);
  expect(first).toEqual(draw(7).noisy);
});

test("timesteps are uniform over those of training, and noise is standard normal", () => {
  const drawn = Array.from({ length: 500 }, (_, k) => draw(k));
  const tenths = Array<number>(10).fill(0);
  for (const { timesteps } of drawn) tenths[Math.floor(timesteps[0] / 100)]++;
  // 50 in each are expected, with a standard deviation of 6.7.
  for (const count of tenths) expect(Math.abs(count - 50)).toBeLessThan(5 * 6.7);
  const squares = drawn.map(({ wanted }) => rootMeanSquare(wanted) ** 2);
  expect(squares.reduce((sum, x) => sum + x, 0) / squares.length).toBeCloseTo(1, 1);
});

test("noisy latents and the noise give the photo's latent back; so do they with v", () => {
  const alphaBar = alphasCumprod(scheduler);
  for (const k of [0, 1, 2]) {
    const { timesteps, noisy, wanted } = draw(k);
    const [signal, rest] = [Math.sqrt(alphaBar[timesteps[0]]), Math.sqrt(1 - alphaBar[timesteps[0]])];
    expect(meanSquaredError(combine(1 / signal, noisy, -rest / signal, wanted), latent)).toBeLessThan(1e-8);
    const v = draw(k, { scheduler: velocity });
    expect(v.noisy).toEqual(noisy);
    // Salimans & Ho 2022: x = √ᾱ·z_t − √(1 − ᾱ)·v.
    const back: Tensor = combine(signal, v.noisy, -rest, v.wanted);
    expect(meanSquaredError(row(back, 0), latent)).toBeLessThan(1e-10);
  }
});

test("the factor of the clean loss is (t/T)² times the error of the clean latent for an error of 1 of the output", () => {
  const alphaBar = alphasCumprod(scheduler);
  for (const k of [0, 1, 2]) {
    for (const { timesteps, noisy, wanted, cleanFactors } of [draw(k), draw(k, { scheduler: velocity })]) {
      const [t] = timesteps;
      const [signal, rest] = [Math.sqrt(alphaBar[t]), Math.sqrt(1 - alphaBar[t])];
      const isVelocity = meanSquaredError(wanted, draw(k).wanted) > 0;
      const wrong = { ...wanted, data: wanted.data.map((x) => x + 1) };
      const clean = isVelocity
        ? combine(signal, noisy, -rest, wrong)
        : combine(1 / signal, noisy, -rest / signal, wrong);
      const error = Math.sqrt(meanSquaredError(clean, latent));
      expect(cleanFactors!.shape).toEqual([1, 1, 1, 1]);
      expect(cleanFactors!.data[0] / ((t / 1000) ** 2 * error)).toBeCloseTo(1, 4);
    }
  }
});

test("the state of a network is its weights and two moments for each", () => {
  expect(stateSets(["unet"])).toEqual({ unet: "unet", "unet.first": "unet", "unet.second": "unet" });
  expect(Object.values(stateSets(["unet", "text"]))).toEqual(["unet", "unet", "unet", "text", "text", "text"]);
});
