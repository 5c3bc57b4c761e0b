import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noise, row, type Tensor } from "../../src/core/index.ts";
import {
  denoiseCoefficients,
  type Model,
  openPredictor,
  type Predictor,
  type Schedule,
} from "../../src/diffusion/index.ts";
import { invertStep, openReconstructionLoss, type ReconstructionLoss } from "../../src/inversion/index.ts";
import { baretReference, type ReferenceSettings, tinyModel } from "../support/baret.ts";
import { relativeError } from "../support/run.ts";

const size = { height: 64, width: 64 };

describe.each(["tiny-sd1", "tiny-sd2"])("%s", (name) => {
  let model: Model;
  let predictor: Predictor;
  let loss: ReconstructionLoss;
  let schedule: Schedule;
  let settings: ReferenceSettings;
  let values: Record<string, Tensor>;
  beforeAll(async () => {
    ({ settings, values } = await baretReference(name));
    model = await tinyModel(name);
    schedule = model.schedule(settings.steps);
    predictor = await openPredictor(model, size);
    loss = await openReconstructionLoss(model, size);
  });
  afterAll(() => model.close());
  const steps = () => Array.from({ length: settings.steps }, (_, i) => i);

  test("timesteps and embeddings are the reference's", async () => {
    const [empty, target] = await model.embed(["", settings.target]);
    expect(schedule.timesteps).toEqual([...values.timesteps.data]);
    expect(relativeError(empty.tensor, values.null)).toBeLessThan(1e-4);
    expect(relativeError(target.tensor, values.target)).toBeLessThan(1e-4);
  });

  test("each step of DDIM inversion gives the reference's next latent from its last", async () => {
    const prompt = { context: values.target, empty: values.null, guidance: 1 };
    for (const i of steps()) {
      const z = await invertStep(predictor, schedule, i, row(values.inverted, i + 1), prompt);
      expect(relativeError(z, row(values.inverted, i)), `step ${i}`).toBeLessThan(1e-3);
    }
  });

  test("the gradient of the loss equals its finite differences", async () => {
    const step = {
      latent: row(values.trajectory, 1),
      timestep: schedule.timesteps[1],
      fixed: row(values.unconditional, 1),
      coefficients: denoiseCoefficients(schedule, 1),
      guidance: settings.guidance,
      wanted: row(values.inverted, 2),
    };
    const { target } = values;
    const { gradient } = await loss.at(target, step);
    const norm = Math.hypot(...gradient.data);
    const along = (direction: Tensor, distance: number): Tensor => {
      const scale = distance / Math.hypot(...direction.data);
      return { shape: target.shape, data: target.data.map((x, k) => x + scale * direction.data[k]) };
    };
    for (const direction of [gradient, noise(target.shape, 1), noise(target.shape, 2)]) {
      const [ahead, behind] = [
        await loss.at(along(direction, 0.01), step),
        await loss.at(along(direction, -0.01), step),
      ];
      const dot = direction.data.reduce((sum, x, k) => sum + x * gradient.data[k], 0) / Math.hypot(...direction.data);
      expect(Math.abs((ahead.loss - behind.loss) / 0.02 - dot)).toBeLessThan(0.01 * norm);
    }
  });

  test("loss and gradient of each iteration are the reference's, given its latent and embedding", async () => {
    for (const i of steps()) {
      const step = {
        latent: row(values.trajectory, i),
        timestep: schedule.timesteps[i],
        fixed: row(values.unconditional, i),
        coefficients: denoiseCoefficients(schedule, i),
        guidance: settings.guidance,
        wanted: row(values.inverted, i + 1),
      };
      for (let k = 0; k < settings.iterations; k++) {
        const found = await loss.at(row(values[`step${i}/embedding`], k), step);
        const expected = row(values.loss, i).data[k];
        expect(Math.abs(found.loss - expected) / expected, `step ${i}, iteration ${k}`).toBeLessThan(1e-3);
        const gradient = row(values[`step${i}/gradient`], k);
        expect(relativeError(found.gradient, gradient), `step ${i}, iteration ${k}`).toBeLessThan(1e-3);
      }
    }
  });
});
