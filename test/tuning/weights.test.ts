import { afterAll, beforeAll, expect, test } from "vitest";
import { noise, ResidentError, type Tensor } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { openWeightTuning, type WeightTuning } from "../../src/tuning/index.ts";
import { readTensor, type WeightSet } from "../../src/weights/index.ts";
import { tinyModel } from "../support/baret.ts";

const size = { width: 64, height: 64 };
const options = { networks: ["unet"], batch: 2, weightDecay: 0.1 } as const;
const models: Model[] = [];
let inPlace: WeightTuning;
let asGraph: WeightTuning;

beforeAll(async () => {
  for (const _ of ["in place", "as graph"]) models.push(await tinyModel("tiny-sd1"));
  inPlace = await openWeightTuning(models[0], size, options);
  // As on a device whose tensors only programs can change.
  const engine = Object.create(models[1].engine, { adam: { value: undefined } });
  asGraph = await openWeightTuning(Object.create(models[1], { engine: { value: engine } }), size, options);
});
afterAll(async () => {
  for (const model of models) await model.close();
});

async function step(tuning: WeightTuning, count: number): Promise<number> {
  const { latent, embedding } = models[0].latentShapes(size);
  const [noisy, wanted] = [1, 2].map((seed) => noise([2, ...latent], 10 * count + seed));
  return tuning.step(count, 1e-3, { context: noise([1, ...embedding], 3) }, { timesteps: [100, 900], noisy, wanted });
}

const read = async (set: WeightSet): Promise<Map<string, Tensor>> => {
  const tensors = new Map<string, Tensor>();
  for (const [name, ref] of set) tensors.set(name, await readTensor(ref));
  return tensors;
};

test("steps of Adam in place have the losses, weights and moments of steps whose program contains Adam", async () => {
  for (const tuning of [inPlace, asGraph]) await tuning.start();
  for (const count of [1, 2, 3]) {
    const [found, expected] = [await step(inPlace, count), await step(asGraph, count)];
    expect(Math.abs(found / expected - 1)).toBeLessThan(1e-5);
  }
  const expected = asGraph.sets();
  for (const [name, set] of Object.entries(inPlace.sets())) {
    const other = await read(expected[name]);
    for (const [weight, { data }] of await read(set)) {
      const [a, b] = [data, other.get(weight)!.data];
      const largest = b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const error = a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
      expect(error, `${name}, ${weight}`).toBeLessThanOrEqual(1e-4 * largest);
    }
  }
});

test("sets that were not read before the next step are refused", async () => {
  await inPlace.start();
  const [{ unet }, saved] = [inPlace.sets(), inPlace.sets()["unet.first"]];
  const [before] = (await read(saved)).values();
  await step(inPlace, 1);
  await expect(read(unet)).rejects.toThrow(ResidentError);
  const [after] = (await read(inPlace.sets()["unet.first"])).values();
  expect(after.data).not.toEqual(before.data);
});
