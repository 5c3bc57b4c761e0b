import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noise } from "../../src/core/index.ts";
import { type Model, openPredictor } from "../../src/diffusion/index.ts";
import {
  baret,
  edit,
  inversionsOnly,
  isComplete,
  type Method,
  masactrl,
  negativePrompt,
  type PreparedStore,
  plain,
  planPrepared,
  prepareStored,
  TrajectoryCache,
} from "../../src/editing/index.ts";
import { openReconstructionLoss } from "../../src/inversion/index.ts";
import { DiskCache, filesIn } from "../../src/storage/node/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";

const at = temporaryFolder();
const size = { width: 64, height: 64 };
const steps = 4;
const picture = smoothPicture(1);
const [target, source] = ["a dog lying down", "a dog"];
let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

/** Prepares the picture. Returns the prepared value and the rows that the U-Net computed. */
async function prepared(method: Method, store?: PreparedStore, options: object = {}) {
  const own = { steps, ...(method.name === "baret" && { iterations: 1 }), ...options };
  const captioned = method.name === "negative-prompt" ? { source } : {};
  const plan = await planPrepared(method, model, picture, { target, ...captioned, options: own });
  const before = model.programs.computed("unet");
  const value = await prepareStored(method, model, picture, plan, store);
  const after = model.programs.computed("unet");
  expect(isComplete(value)).toBe(true);
  return { value, evaluations: after.evaluations - before.evaluations, gradients: after.gradients - before.gradients };
}

test("methods that invert the photo alike invert it once, to the bytes of a preparation alone", async () => {
  const alone = [await prepared(baret), await prepared(plain)];
  for (const first of [baret, plain]) {
    const trajectories = new TrajectoryCache();
    const [second] = [baret, plain].filter((method) => method !== first);
    const [one, two] = [
      await prepared(first, inversionsOnly(trajectories)),
      await prepared(second, inversionsOnly(trajectories)),
    ];
    const made = first === baret ? [one, two] : [two, one];
    expect(made.map(({ value }) => value.tensors)).toEqual(alone.map(({ value }) => value.tensors));
    expect(two.evaluations).toBe(alone[second === baret ? 0 : 1].evaluations - steps);
  }
});

test("another prompt, another guidance scale or another number of steps is another inversion", async () => {
  const trajectories = new TrajectoryCache();
  await prepared(plain, inversionsOnly(trajectories));
  const others = [{ inversionPrompt: "a cat" }, { inversionGuidance: 2 }, { steps: steps + 1 }];
  for (const options of others) {
    const { evaluations } = await prepared(plain, inversionsOnly(trajectories), options);
    expect(evaluations, JSON.stringify(options)).toBe("steps" in options ? 5 : "inversionGuidance" in options ? 8 : 4);
  }
  expect((await prepared(masactrl, inversionsOnly(trajectories))).evaluations).toBe(steps);
  expect((await prepared(negativePrompt, inversionsOnly(trajectories))).evaluations).toBe(steps);
  const captioned = { inversionPrompt: source };
  expect((await prepared(plain, inversionsOnly(trajectories), captioned)).evaluations).toBe(0);
});

test("a later process finds an inversion on disk; a damaged one is computed again", async () => {
  const open = () => new TrajectoryCache(filesIn(new DiskCache({ folder: at("cache") })));
  const first = await prepared(plain, inversionsOnly(open()));
  const second = await prepared(plain, inversionsOnly(open()));
  expect([first.evaluations, second.evaluations]).toEqual([steps, 0]);
  expect(second.value.tensors).toEqual(first.value.tensors);
  const [entry] = readdirSync(at("cache")).filter((name) => name.startsWith("inversion-"));
  writeFileSync(join(at("cache"), entry, "trajectory.safetensors"), "damaged");
  const third = await prepared(plain, inversionsOnly(open()));
  expect(third.evaluations).toBe(steps);
  expect(third.value.tensors).toEqual(first.value.tensors);
});

test("the model counts the rows of every finished prediction and gradient, and none of a refused one", async () => {
  const [{ tensor: context }] = await model.embed([target]);
  const latent = noise(model.latentShape(size), 1);
  const predictor = await openPredictor(model, size);
  const loss = await openReconstructionLoss(model, size);
  const before = model.programs.computed("unet");
  const counted = () => {
    const { evaluations, gradients } = model.programs.computed("unet");
    return [evaluations - before.evaluations, gradients - before.gradients];
  };
  const rows = [1, 2, 3].map(() => ({ latent, context }));
  await predictor.predict(rows, 500);
  expect(counted()).toEqual([3, 0]);
  const step = {
    latent,
    timestep: 500,
    fixed: latent,
    coefficients: { sample: 1, output: 1 },
    guidance: 2,
    wanted: latent,
  };
  await loss.at(context, step);
  await loss.at(context, step);
  expect(counted()).toEqual([3, 2]);
  await expect(predictor.predict(rows, 500, { signal: AbortSignal.abort() })).rejects.toThrow();
  expect(counted()).toEqual([3, 2]);
});

test("what an edit computes is what its lock step plans", async () => {
  const { value } = await prepared(plain);
  const before = model.programs.computed("unet").evaluations;
  const { rows } = await edit(plain, model, value, {});
  expect(model.programs.computed("unet").evaluations - before).toBe(rows);
});

test("one photo passes through the VAE once each way, and what a caller does with a result changes no later one", async () => {
  const own = await tinyModel("tiny-sd1");
  const latent = await own.encode(picture);
  const kept = latent.data.slice();
  latent.data.fill(0);
  expect((await own.encode({ ...picture, data: picture.data.slice() })).data).toEqual(kept);
  expect(own.programs.computed("vae").evaluations).toBe(1);
  const changed = { ...picture, data: picture.data.map((x, k) => (k === 5 ? x + 1 : x)) };
  expect((await own.encode(changed)).data).not.toEqual(kept);
  const [first] = await own.decode({ shape: latent.shape, data: kept });
  const pixels = first.data.slice();
  first.data.fill(0);
  expect((await own.decode({ shape: latent.shape, data: kept }))[0].data).toEqual(pixels);
  expect(own.programs.computed("vae").evaluations).toBe(3);
  await own.close();
  await expect(own.encode(picture)).rejects.toThrow("the model is closed");
});
