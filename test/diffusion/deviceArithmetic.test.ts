import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NumericError, noise, ResidentError, row, type Tensor, tensor } from "../../src/core/index.ts";
import { type Model, openPredictor, type Size, sample, type Value } from "../../src/diffusion/index.ts";
import { Adam, ddimInversion, openReconstructionLoss, tuneStep } from "../../src/inversion/index.ts";
import { tinyComputing } from "../support/baret.ts";
import { relativeError } from "../support/run.ts";

let [here, device]: Model[] = [];
beforeAll(async () => {
  [here, device] = [await tinyComputing("here"), await tinyComputing("engine")];
});
afterAll(async () => {
  await here?.close();
  await device?.close();
});

const small: Size = { height: 64, width: 64 };
const sizes: readonly Size[] = [small, { height: 128, width: 192 }];

/** Bytes to and from the engine during each step of `work`, from the second step on. */
async function bytesPerStep(work: (stepDone: () => void) => Promise<unknown>): Promise<[number, number][]> {
  const seen: [number, number][] = [];
  await work(() => {
    const { toEngine, fromEngine } = device.engine.traffic;
    seen.push([toEngine, fromEngine]);
  });
  return seen.slice(1).map(([to, from], k) => [to - seen[k][0], from - seen[k][1]]);
}

async function sampled(model: Model, size: Size, stepDone?: () => void): Promise<Tensor> {
  const [empty, cat, dog] = (await model.embed(["", "a white cat", "a brown dog"])).map((one) => one.tensor);
  const sampling = { start: noise([2, ...model.latentShape(size).slice(1)], 3), contexts: [cat, dog] };
  const predictor = await openPredictor(model, size);
  const all = { ...sampling, unconditional: empty, guidance: 7.5 };
  return sample(predictor, model.schedule(5), all, { onProgress: stepDone });
}

async function inverted(model: Model, size: Size, guidance: number): Promise<Tensor> {
  const [empty, context] = (await model.embed(["", "a white cat"])).map((one) => one.tensor);
  const shape = model.latentShape(size);
  const trajectory = tensor([6, ...shape.slice(1)]);
  row(trajectory, 5).data.set(noise(shape, 1).data);
  await ddimInversion(await openPredictor(model, size), model.schedule(5), trajectory, { context, empty, guidance });
  return trajectory;
}

async function tuned(model: Model, size: Size, iterations: number) {
  const [fixed, start] = (await model.embed(["", "a white cat"])).map((one) => one.tensor);
  const programs = { predictor: await openPredictor(model, size), loss: await openReconstructionLoss(model, size) };
  const [latent, wanted] = [1, 2].map((seed) => noise(model.latentShape(size), seed));
  const optimiser = new Adam(tensor([2, ...start.shape.slice(1)]));
  const settings = { guidance: 7.5, learningRate: 1e-3, iterations, limit: 0 };
  return tuneStep(programs, model.schedule(5), 2, {
    tunes: "conditional",
    latent,
    wanted,
    start,
    fixed,
    optimiser,
    ...settings,
  });
}

describe("on the device", () => {
  test.each(sizes)("a sampling step of $width x $height reads scalars and returns one number", async (size) => {
    const steps = await bytesPerStep((stepDone) => sampled(device, size, stepDone));
    expect(steps).toHaveLength(4);
    // Sinusoids of four rows, and the coefficients of two latents: [2, 2 + 4].
    const reads = 4 * (4 * device.unet.blocks[0].channels + 2 * (2 + 4));
    for (const step of steps) expect(step).toEqual([reads, 4]);
  });

  test.each(sizes)("DDIM inversion of $width x $height returns its latents at the end alone", async (size) => {
    await inverted(device, size, 1);
    const before = { ...device.engine.traffic };
    const { data } = await inverted(device, size, 1);
    const { toEngine, fromEngine } = device.engine.traffic;
    const latent = data.byteLength / 6;
    // Five latents, and a number for each step.
    expect(fromEngine - before.fromEngine).toBe(5 * (latent + 4));
    const embedding = 4 * device.text.length * device.text.width;
    expect(toEngine - before.toEngine).toBe(latent + embedding + 5 * 4 * (device.unet.blocks[0].channels + 2));
  });

  test("an iteration of tuning reads scalars, and returns its loss and the size of its gradient", async () => {
    const moved: { toEngine: number; fromEngine: number }[] = [];
    for (const iterations of [3, 6]) {
      const before = { ...device.engine.traffic };
      await tuned(device, small, iterations);
      const { toEngine, fromEngine } = device.engine.traffic;
      moved.push({ toEngine: toEngine - before.toEngine, fromEngine: fromEngine - before.fromEngine });
    }
    const [three, six] = moved;
    expect(six.fromEngine - three.fromEngine).toBe(3 * 2 * 4);
    // Sinusoids, three scalars of the step and two of Adam.
    expect(six.toEngine - three.toEngine).toBe(3 * 4 * (device.unet.blocks[0].channels + 5));
  });

  test("sampling, inversion and tuning give the latents and embeddings that they give in this process", async () => {
    expect(relativeError(await sampled(device, small), await sampled(here, small))).toBeLessThan(1e-5);
    for (const guidance of [1, 3]) {
      const error = relativeError(await inverted(device, small, guidance), await inverted(here, small, guidance));
      // Guided inversion enlarges rounding.
      expect(error, `guidance ${guidance}`).toBeLessThan(5e-5);
    }
    const [a, b] = [await tuned(device, small, 4), await tuned(here, small, 4)];
    expect(relativeError(a.embedding, b.embedding)).toBeLessThan(1e-5);
    expect(relativeError(a.latent, b.latent)).toBeLessThan(1e-5);
    for (const [k, loss] of b.losses.entries()) expect(a.losses[k] / loss).toBeCloseTo(1, 4);
  });

  test("a latent that is not a number is a NumericError at its step", async () => {
    const predictor = await openPredictor(device, small);
    const { tensor: context } = (await device.embed([""]))[0];
    const start = noise(device.latentShape(small), 1);
    start.data[5] = Number.NaN;
    let steps = 0;
    const onProgress = (): void => {
      steps++;
    };
    const sampling = { start, contexts: [context], unconditional: context, guidance: 1 };
    await expect(sample(predictor, device.schedule(4), sampling, { onProgress })).rejects.toThrow(NumericError);
    expect(steps).toBe(0);
  });

  test("values are freed when their work is over, and rows, sums and means are those of this process", async () => {
    const [x, y] = [noise([3, 2, 5], 1), noise([3, 2, 5], 2)];
    let kept: Value | undefined;
    await device.arithmetic.during(async (math) => {
      const [p, q] = await math.put([x, y]);
      const rows = await math.unstack(p);
      const back = await math.stack([rows[2], rows[0], rows[2]]);
      kept = await math.combine(2, p, -0.5, q);
      const [read, sum] = await math.read([back, kept]);
      expect(row(read, 0).data).toEqual(row(x, 2).data);
      expect(row(read, 1).data).toEqual(row(x, 0).data);
      const here = x.data.map((value, k) => 2 * value - 0.5 * y.data[k]);
      expect(relativeError(sum, { shape: x.shape, data: here })).toBeLessThan(1e-6);
      const squares = x.data.reduce((total, value, k) => total + (value - y.data[k]) ** 2, 0);
      expect(await math.meanSquaredError(p, q)).toBeCloseTo(squares / 30, 5);
    });
    await expect(device.engine.read([kept as never])).rejects.toThrow(ResidentError);
  });
});
