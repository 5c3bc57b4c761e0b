import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CheckpointError, row, type Tensor } from "../../src/core/index.ts";
import {
  alphasCumprod,
  applyStep,
  denoiseCoefficients,
  invertCoefficients,
  makeSchedule,
} from "../../src/diffusion/index.ts";
import { parseScheduler } from "../../src/weights/index.ts";
import { fixture, relativeError } from "../support/run.ts";

// Made by tools/parity/ddim.py with diffusers' DDIMScheduler; see tools/parity/README.md.
const at = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const cases = JSON.parse(readFileSync(at("ddim.json"), "utf8")) as Record<
  string,
  { prediction: string; steps: number; offset: number }
>;
const reference = await fixture(at("ddim.safetensors"));

const sd = (more: Record<string, unknown> = {}) =>
  parseScheduler(
    { _class_name: "DDIMScheduler", beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear", clip_sample: false, set_alpha_to_one: false, steps_offset: 1, ...more },
    "scheduler_config.json",
  ); // biome-ignore format: one line of SD1.5's settings

test("the noise levels are those published for Stable Diffusion", () => {
  const alphas = alphasCumprod(sd());
  // ᾱ of Stable Diffusion 1.x as diffusers computes it.
  for (const [t, value] of [
    [0, 0.99915],
    [1, 0.998296],
    [21, 0.980381],
    [501, 0.274999],
    [981, 0.0057755],
    [999, 0.0046601],
  ]) {
    expect(Math.abs(alphas[t] / value - 1)).toBeLessThan(1e-5);
  }
  expect(
    relativeError({ shape: [1000], data: Float32Array.from(alphas) }, reference.alphas_cumprod as Tensor),
  ).toBeLessThan(1e-6);
});

describe.each(Object.entries(cases))("%s", (name, { prediction, steps, offset }) => {
  const schedule = makeSchedule(sd({ prediction_type: prediction, steps_offset: offset }), steps);
  const outputs = reference.outputs as Tensor;
  const levels = (x: Tensor, i: number): Tensor => ({ shape: x.shape.slice(1), data: row(x, i).data });

  test("timesteps are diffusers'", () => {
    expect(schedule.timesteps).toEqual([...reference[`${name}/timesteps`].data]);
  });

  test("denoising follows diffusers step by step", () => {
    const expected = reference[`${name}/denoised`] as Tensor;
    let z = levels(expected, 0);
    for (let i = 0; i < steps; i++) {
      z = applyStep(denoiseCoefficients(schedule, i), z, levels(outputs, i));
      expect(relativeError(z, levels(expected, i + 1))).toBeLessThan(1e-5);
    }
  });

  test("inversion follows the reference step by step", () => {
    const expected = reference[`${name}/inverted`] as Tensor;
    let z = levels(expected, 0);
    for (let k = 0; k < steps; k++) {
      z = applyStep(invertCoefficients(schedule, steps - 1 - k), z, levels(outputs, k));
      expect(relativeError(z, levels(expected, k + 1))).toBeLessThan(1e-5);
    }
  });
});

test.each(["leading", "trailing", "linspace"])(
  "%s spacing gives different, ordered timesteps within training for every number of steps",
  (spacing) => {
    for (const offset of [0, 1, 2, 999]) {
      const config = sd({ timestep_spacing: spacing, steps_offset: offset });
      for (let steps = 1; steps <= 1000; steps++) {
        const { timesteps, alphaBar } = makeSchedule(config, steps);
        expect(timesteps).toHaveLength(steps);
        const ordered = timesteps.every((t, i) => Number.isInteger(t) && t >= 0 && t < (timesteps[i - 1] ?? 1000));
        expect(ordered, `${steps} steps, offset ${offset}: ${timesteps.slice(0, 4)}`).toBe(true);
        expect(alphaBar.every((level, i) => i === 0 || level >= alphaBar[i - 1])).toBe(true);
      }
    }
  },
);

test("an offset counts if there is room for it; 1000 steps use every timestep once", () => {
  const timesteps = (steps: number, offset = 1) => makeSchedule(sd({ steps_offset: offset }), steps).timesteps;
  expect(timesteps(1000)).toEqual(Array.from({ length: 1000 }, (_, i) => 999 - i));
  expect(timesteps(999)).toEqual(Array.from({ length: 999 }, (_, i) => 999 - i));
  expect(timesteps(500)).toEqual(Array.from({ length: 500 }, (_, i) => 999 - 2 * i));
  expect(timesteps(4)).toEqual([751, 501, 251, 1]);
  expect(timesteps(4, 249)).toEqual([999, 749, 499, 249]);
  expect(timesteps(4, 600)).toEqual([999, 749, 499, 249]);
});

test("a step down undoes a step up with the same output", () => {
  const schedule = makeSchedule(sd({ prediction_type: "v_prediction" }), 50);
  const up = invertCoefficients(makeSchedule(sd(), 50), 7);
  const down = denoiseCoefficients(makeSchedule(sd(), 50), 7);
  expect(up.sample * down.sample).toBeCloseTo(1, 12);
  expect(down.sample * up.output + down.output).toBeCloseTo(0, 12);
  expect(schedule.timesteps.length).toBe(50);
});

test("an impossible number of steps is refused", () => {
  for (const steps of [0, -1, 1.5, 1001, Number.NaN])
    expect(() => makeSchedule(sd(), steps)).toThrow(/steps.*1\.\.1000/);
});

test("a schedule of one timestep has the first noise level", () => {
  const { alphaBar } = makeSchedule(sd({ num_train_timesteps: 1, steps_offset: 0 }), 1);
  expect(alphaBar).toEqual([1 - 0.00085, 1 - 0.00085]);
});

test("a schedule whose noise level is not a number is refused", () => {
  const config = sd({ num_train_timesteps: 1, steps_offset: 0, rescale_betas_zero_snr: true });
  expect(() => makeSchedule(config, 1)).toThrow(CheckpointError);
  expect(() => makeSchedule(config, 1)).toThrow(/scheduler_config\.json: .*found ᾱ NaN at step 0, expected 0\.\.1/);
});
