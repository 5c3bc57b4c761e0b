import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NumericError, row, UsageError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { fidelityOf, type Method, planPreparation, prepare } from "../../src/editing/index.ts";
import {
  convergenceOf,
  hasFailed,
  lossCurve,
  type TraceOptions,
  type TunedInversion,
  traceInversion,
  tunedInversions,
} from "../../src/experiments/index.ts";
import { smoothPicture, someOrigin, tinyModel } from "../support/baret.ts";

const photo = smoothPicture(1);
const prompts = { target: "a dog lying down", source: "a dog" };
const steps = 4;
const rates = { learningRate: 1e-2 };
let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

const trace = (inversion: TunedInversion, options: TraceOptions) =>
  traceInversion(model, photo, prompts, inversion, { steps, guidance: 3, ...options });

describe.each(["target-text", "null-text"] as const)("%s inversion", (inversion) => {
  test("is traced as the method prepares it: equal losses, iterations and PSNR", async () => {
    const method: Method = tunedInversions[inversion];
    const options = { steps, guidance: 3, iterations: 3 };
    const prepared = await prepare(
      method,
      model,
      photo,
      planPreparation(method, model, photo, { ...prompts, options }, someOrigin),
    );
    const traced = await trace(inversion, { budget: 3 });
    const losses = traced.steps.map((step) => [...step.losses]);
    expect(losses).toEqual(
      losses.map((_, i) => [...row(prepared.tensors.loss, i).data].filter((loss) => !Number.isNaN(loss))),
    );
    expect(traced.iterations).toBe(method.iterations!(prepared));
    expect(traced.iterations).toBeGreaterThan(0);
    expect(traced.psnr).toBe((await fidelityOf(method, model, prepared)).inversion);
    expect(traced).toMatchObject({ inversion, optimiser: "Adam", guidance: 3, budget: 3 });
  });

  test("its times belong to its losses and never go back; it is plain JSON", async () => {
    const traced = await trace(inversion, { budget: 2, earlyStop: false });
    expect(traced.iterations).toBe(2 * steps);
    for (const { losses, seconds } of traced.steps) expect([losses.length, seconds.length]).toEqual([3, 3]);
    const times = traced.steps.flatMap(({ seconds }) => seconds);
    expect(times[0]).toBe(0);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(traced.seconds).toBeGreaterThan(times.at(-1)!);
    expect(traced.ddimSeconds).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(traced))).toEqual(traced);
  });

  test("a given rate holds at all steps, so that inversions are compared at equal rates", async () => {
    const { learningRates } = await trace(inversion, { budget: 1, optimiser: { name: "Adam", ...rates } });
    expect(learningRates).toEqual([1e-2, 1e-2]);
  });

  test("gradient descent has the rate that is given: 0 changes no loss, a small one lowers it", async () => {
    const firstLosses = async (learningRate: number) => {
      const optimiser = { name: "gradient descent", learningRate } as const;
      const { steps, learningRates } = await trace(inversion, { budget: 2, earlyStop: false, optimiser });
      expect(learningRates).toEqual([learningRate, learningRate]);
      return steps[0].losses;
    };
    const [first, ...same] = await firstLosses(0);
    for (const loss of same) expect(loss).toBeCloseTo(first, 4);
    const [begin, once, twice] = await firstLosses(0.02);
    expect(once).toBeLessThan(begin);
    expect(twice).toBeLessThan(once);
  });
});

test("inversions with several budgets share DDIM inversion, and more iterations lower the loss", async () => {
  const traces = await convergenceOf(model, photo, prompts, "target-text", {
    budgets: [0, 1, 6],
    optimiser: { name: "Adam", ...rates },
    steps,
    guidance: 3,
    earlyStop: false,
  });
  expect(traces.map(({ budget, iterations }) => [budget, iterations])).toEqual([
    [0, 0],
    [1, steps],
    [6, 6 * steps],
  ]);
  const firstLosses = traces.map(({ steps: [{ losses }] }) => losses);
  expect(firstLosses[1][0]).toBe(firstLosses[0][0]);
  // The last loss comes from the program that samples, the others from that of the gradient.
  expect(firstLosses[2][1]).toBeCloseTo(firstLosses[1][1], 4);
  expect(firstLosses[2].at(-1)!).toBeLessThan(firstLosses[2][0]);
  expect(traces[1].ddimSeconds).toBeLessThan(traces[0].ddimSeconds / 2);
});

test("null-text inversion needs a caption, and a rate that is too large fails as it should", async () => {
  const { target } = prompts;
  await expect(traceInversion(model, photo, { target }, "null-text", { budget: 1 })).rejects.toThrow(UsageError);
  const optimiser = { name: "gradient descent", learningRate: 1e38 } as const;
  await expect(trace("target-text", { budget: 3, earlyStop: false, optimiser })).rejects.toThrow(NumericError);
});

test("the curve of an inversion counts iterations over all steps", () => {
  const steps = [
    { losses: [4, 2, 1], seconds: [0, 1, 2] },
    { losses: [5], seconds: [3] },
    { losses: [3, 2], seconds: [4, 5] },
  ];
  expect(lossCurve({ steps }).map(({ iteration, seconds, loss }) => [iteration, seconds, loss])).toEqual([
    [0, 0, 4],
    [1, 1, 2],
    [2, 2, 1],
    [2, 3, 5],
    [2, 4, 3],
    [3, 5, 2],
  ]);
});

test("the failure rate is the share of reconstructions below the limit", () => {
  const reconstructions = [24.9, 25, 31, 12];
  expect(reconstructions.filter((psnr) => hasFailed(psnr)).length / 4).toBe(0.5);
  expect(reconstructions.filter((psnr) => hasFailed(psnr, 12)).length / 4).toBe(0);
});
