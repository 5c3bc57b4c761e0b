import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  CancelledError,
  EngineError,
  MemoryError,
  noise,
  type Picture,
  ResidentError,
  type Tensor,
} from "../../src/core/index.ts";
import { type Model, openPredictor, sample } from "../../src/diffusion/index.ts";
import {
  decodePrepared,
  edit,
  encodePrepared,
  imagic,
  type Method,
  type Prepared,
  planPreparation,
  planPrepared,
  prepare,
  prepareStored,
  sdedit,
  sine,
  sweep,
} from "../../src/editing/index.ts";
import { PreparedCache, preparedFile, readPrepared } from "../../src/editing/node/index.ts";
import { imagic as imagicApi } from "../../src/index.ts";
import { positionGrid } from "../../src/models/index.ts";
import { checkMemory } from "../../src/runtime/node/index.ts";
import {
  encodeSafetensors,
  memorySource,
  readBytes,
  readSafetensors,
  readTensor,
  type TensorData,
} from "../../src/weights/index.ts";
import { smoothPicture, someOrigin, tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { fixture, relativeError } from "../support/run.ts";

// Tuning weights on one photo: Imagic and SINE.

const at = temporaryFolder();
const photo = smoothPicture(1);
const [target, source] = ["a brown dog sitting", "a brown dog standing"];
const short = { steps: 4, tuningSteps: 5, tuningRate: 1e-3, saveEvery: 2 };
const optionsOf = (method: Method): object =>
  method.name === "imagic" ? { ...short, embeddingSteps: 3, embeddingRate: 1e-2 } : short;
const inputOf = (method: Method, more: object = {}) => ({
  target,
  ...(method.name === "sine" && { source }),
  options: { ...optionsOf(method), ...more },
});

let model: Model;
/** A photo prepared by each method. */
const prepared = new Map<Method, Prepared>();
const preparing = (method: Method, more: object = {}, on = model): Promise<Prepared> =>
  prepare(method, on, photo, planPreparation(method, on, photo, inputOf(method, more), someOrigin));
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  for (const method of [imagic, sine] as Method[]) prepared.set(method, await preparing(method));
}, 180_000);
afterAll(() => model.close());

/** Edit of SDEdit at strength 1: plain guidance from noise. */
const plainly = sdedit as Method;
const plainEdit = async (options: object) => {
  const input = { target, options: { steps: short.steps } };
  const value = await prepare(plainly, model, photo, planPreparation(plainly, model, photo, input, someOrigin));
  return edit(plainly, model, value, { strength: 1, guidance: 3, ...options });
};
const tuned = (method: unknown): Prepared => prepared.get(method as Method)!;

describe.each([
  ["imagic", "tiny-sd1"],
  ["imagic", "tiny-sd2"],
  ["sine", "tiny-sd1"],
  ["sine-patches", "tiny-sd1"],
])("%s on %s has the reference's", (name, folder) => {
  test("losses, embedding and latents", async () => {
    const path = fixturePath(`finetuning-${name}-${folder}.safetensors`);
    const { metadata } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
    const s = JSON.parse(metadata.settings);
    const expected = (await fixture(path)) as Record<string, Tensor>;
    const on = folder === "tiny-sd1" ? model : await tinyModel(folder);
    const method = (name === "imagic" ? imagic : sine) as Method;
    const { patches } = s;
    const options = {
      steps: s.steps,
      tuningSteps: s.tuning_steps,
      tuningRate: s.tuning_rate,
      trainingBatch: s.batch,
      ...(patches > 0 && { patches }),
      ...(name === "imagic" && { embeddingSteps: s.embedding_steps, embeddingRate: s.embedding_rate }),
    };
    const input = { target: s.target, source: name === "imagic" ? undefined : s.source, options };
    const plan = planPreparation(method, on, photo, input, someOrigin);
    // Starts after the step that encodes the photo, because the reference has a picture of its own.
    const [embedded] = await on.embed([s.target]);
    const tensors: Record<string, Tensor> = Object.fromEntries(
      Object.entries(method.tensors(plan.settings, plan.shapes)).map(([key, { shape, unset }]) => [
        key,
        { shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(unset ? Number.NaN : 0) },
      ]),
    );
    tensors.photo = expected.photo;
    if (name === "imagic") tensors.embedding.data.set(embedded.tensor.data);
    const resume: Prepared = { ...plan, tensors, progress: { ...plan.progress, done: 1 } };
    // Patches are cut from a picture of the reference's.
    const photoAt = (): Picture => {
      const [height, width] = expected.larger.shape;
      return { width, height, data: Uint8Array.from(expected.larger.data) };
    };
    const value = await prepare(method, on, photo, plan, { resume, photoAt });
    const losses = [...value.tensors.loss.data];
    losses.forEach((loss, k) => {
      expect(Math.abs(loss / expected.loss.data[k] - 1), `loss ${k}`).toBeLessThan(1e-3);
    });
    expect(losses).toHaveLength(expected.loss.data.length);
    const { embedding, caption = embedding } = value.tensors;
    expect(relativeError(caption, expected.embedding)).toBeLessThan(1e-3);
    const settings = {
      guidance: s.guidance,
      ...(name === "imagic" ? { eta: s.eta } : { pretrainedShare: s.pretrained_share, tunedAbove: s.tuned_above }),
    };
    const images = name === "imagic" ? ["edit", "reconstruction"] : ["edit"];
    const { latents } = await edit(method, on, value, settings, { images });
    for (const image of images) expect(relativeError(latents[image], expected[image]), image).toBeLessThan(2e-3);
    // Without the photo the error would be far above the limit.
    const plainInput = { target: s.target, options: { steps: s.steps } };
    const noTuning = await prepare(plainly, on, photo, planPreparation(plainly, on, photo, plainInput, someOrigin));
    const untuned = await edit(plainly, on, noTuning, { strength: 1, guidance: s.guidance });
    expect(relativeError(untuned.latents.edit, expected.edit)).toBeGreaterThan(2e-2);
    if (on !== model) await on.close();
  });
});

describe("imagic", () => {
  test("at eta 0 the edit is the picture of the optimised embedding, and without tuned weights that of the model as it was", async () => {
    const { latents } = await edit(imagic as Method, model, tuned(imagic), { eta: 0 }, { images: ["edit", "reconstruction"] });
    expect(latents.edit.data).toEqual(latents.reconstruction.data);
    const untuned = await preparing(imagic as Method, { tuningSteps: 0 });
    expect(untuned.weights).toBeUndefined();
    expect(untuned.tensors.embedding).toEqual(tuned(imagic).tensors.embedding);
    const { latents: alone } = await edit(imagic as Method, model, untuned, { eta: 0, guidance: 3, seed: 5 });
    const expected = await sample(await openPredictor(model, photo), model.schedule(short.steps), {
      start: noise(model.latentShape(photo), 5),
      contexts: [untuned.tensors.embedding],
      unconditional: (await model.embed([""]))[0].tensor,
      guidance: 3,
    });
    expect(alone.edit.data).toEqual(expected.data);
    // At eta 1 the photo has no effect: sampling with the target from noise.
    const plain = await plainEdit({ seed: 5 });
    const { latents: target } = await edit(imagic as Method, model, untuned, { eta: 1, guidance: 3, seed: 5 });
    expect(target.edit.data).toEqual(plain.latents.edit.data);
  }); // biome-ignore format: one law

  test("eta, guidance and seed each change the edit; a sweep gives the pictures of single edits", async () => {
    const points = [{}, { eta: 0.2 }, { guidance: 2 }, { seed: 1 }];
    const { pictures } = await sweep(imagic as Method, model, tuned(imagic), {}, points);
    for (const [k, point] of points.entries()) {
      const { images } = await edit(imagic as Method, model, tuned(imagic), point);
      expect(pictures[k]).toEqual(images.edit);
      if (k > 0) expect(pictures[k].data).not.toEqual(pictures[0].data);
    }
  });
});

describe("sine", () => {
  const editing = async (options: object, images: readonly string[] = ["edit"]) =>
    edit(sine as Method, model, tuned(sine), { guidance: 3, ...options }, { images });

  test("with share 1 the edit is plain guidance of the model as it was, to the bit, and the tuned weights are not loaded", async () => {
    const { latents, rows } = await editing({ pretrainedShare: 1, seed: 7 });
    const plain = await plainEdit({ seed: 7 });
    expect(latents.edit.data).toEqual(plain.latents.edit.data);
    expect(rows).toBe(plain.rows);
  }); // biome-ignore format: one law

  test("with share 0 above every timestep the edit is that of the tuned model alone", async () => {
    const { latents } = await editing({ pretrainedShare: 0, tunedAbove: 0 }, ["edit", "tuned"]);
    expect(latents.edit.data).toEqual(latents.tuned.data);
  });

  test("the tuned model predicts at the timesteps above K alone", async () => {
    const { timesteps } = tuned(sine);
    for (const [tunedSteps, tunedAbove] of [
      [short.steps, timesteps[3] - 1],
      [3, timesteps[3]],
      [1, timesteps[1]],
    ]) {
      // Two rows of the model as it was at each step, and a row of the tuned one, which is repeated.
      expect((await editing({ tunedAbove })).rows, `K ${tunedAbove}`).toBe(2 * short.steps + 2 * tunedSteps);
    }
    await expect(editing({ tunedAbove: timesteps[0] })).rejects.toThrow(
      `tunedAbove: no step is above this timestep, so the photo has no effect: found ${timesteps[0]}, expected 0..${timesteps[0] - 1}`,
    );
    await expect(editing({ tunedAbove: -1 })).rejects.toThrow("tunedAbove: found -1");
  });

  test("needs a caption, in place of which another training prompt may be used", async () => {
    const plan = (options: object) => planPreparation(sine as Method, model, photo, { target, options }, someOrigin);
    expect(() => plan(short)).toThrow("source: found nothing, but sine needs a caption of the photo");
    const other = await preparing(sine as Method, { trainingPrompt: "a dog" });
    expect(other.tensors.caption.data).not.toEqual(tuned(sine).tensors.caption.data);
    const same = await preparing(sine as Method, { trainingPrompt: source });
    expect(same.tensors).toEqual(tuned(sine).tensors);
  });
});

describe("sine with patches", () => {
  const method = sine as Method;
  const patched = { patches: 2 };
  let value: Prepared;
  beforeAll(async () => {
    value = await preparing(method, patched);
  }, 60_000);
  const editing = async (value: Prepared, options: object = {}) =>
    edit(method, model, value, { guidance: 3, ...options });

  test("the tuned U-Net has the whole grid of positions at the picture's size, and without it the edit is another one", async () => {
    const { latents } = await editing(value);
    const grid = value.weights!.unet.get("position")!;
    expect(await readTensor(grid)).toEqual(
      positionGrid(model.unet, { left: 0, top: 0, width: 16, height: 16 }, { width: 8, height: 8 }),
    );
    const { position: _, ...others } = Object.fromEntries(value.weights!.unet);
    const program = await openPredictor(model, photo, undefined, undefined, new Map(Object.entries(others)));
    const withGrid = await openPredictor(model, photo, undefined, undefined, value.weights!.unet);
    const row = { latent: latents.edit, context: value.tensors.caption };
    const [without, found] = [await program.predict([row, row], 500), await withGrid.predict([row, row], 500)];
    expect(relativeError(found, without)).toBeGreaterThan(1e-2);
  });

  test("the model as it was gets no grid: with share 1 the edit is plain guidance, to the bit", async () => {
    const { latents } = await editing(value, { pretrainedShare: 1, seed: 7 });
    expect(latents.edit.data).toEqual((await plainEdit({ seed: 7 })).latents.edit.data);
  });

  test("without patches nothing of them is stored: neither a setting nor a grid nor a hash", () => {
    const { settings, origin, weights } = tuned(sine);
    expect(Object.keys(settings)).not.toEqual(expect.arrayContaining(["patches"]));
    expect(settings).not.toHaveProperty("cleanLoss");
    expect(origin).not.toHaveProperty("larger");
    expect(weights!.unet.has("position")).toBe(false);
  });

  test("patches and their scale each change the loss", async () => {
    const { tensors } = await preparing(method, { patches: 1, tuningSteps: 1 });
    const losses = [tuned(sine), value, { tensors }].map(({ tensors }) => tensors.loss.data[0]);
    expect(new Set(losses).size).toBe(losses.length);
  }, 120_000);

  test("is another prepared photo if the photo has other details", async () => {
    const plan = (photoAt?: () => Picture) => planPrepared(method, model, photo, inputOf(method, patched), { photoAt });
    const detailed = () => ({ width: 128, height: 128, data: new Uint8Array(3 * 128 ** 2) });
    const [enlarged, other] = [await plan(), await plan(detailed)];
    expect(other.origin.picture).toBe(enlarged.origin.picture);
    const file = at("sine-patches-detail.safetensors");
    writeFileSync(file, await encodePrepared({ ...value, origin: enlarged.origin }));
    expect((await prepareStored(method, model, photo, enlarged, preparedFile(file))).tensors).toEqual(value.tensors);
    await expect(prepareStored(method, model, photo, other, preparedFile(file), { photoAt: detailed })).rejects.toThrow(
      /another prepared photo: found the larger photo [0-9a-f]{64}, expected the larger photo [0-9a-f]{64}/,
    );
  });

  test("stopped, it resumes to the bytes of an uninterrupted run", async () => {
    const file = at("sine-patches.safetensors");
    const plan = planPreparation(method, model, photo, inputOf(method, patched), someOrigin);
    const preparing = (onProgress?: () => void) =>
      prepareStored(method, model, photo, plan, preparedFile(file), { onProgress });
    let steps = 0;
    const stop = () => {
      if (++steps === 4) throw new Error("stop");
    };
    await expect(preparing(stop)).rejects.toThrow("stop");
    expect((await readPrepared(file)).progress.done).toBeLessThanOrEqual(4);
    await preparing();
    expect(readFileSync(file).equals(await encodePrepared(value))).toBe(true);
    const { latents } = await editing(await readPrepared(file));
    expect(latents.edit.data).toEqual((await editing(value)).latents.edit.data);
  }, 180_000);

  test("a file without the grid is refused", async () => {
    const bytes = await encodePrepared(value);
    const { metadata, tensors } = await readSafetensors(memorySource("", bytes));
    const all: Record<string, TensorData> = {};
    for (const [name, ref] of tensors)
      if (name !== "unet/position") all[name] = { ...ref, data: (await readBytes(ref)).slice() };
    const without = await decodePrepared(memorySource("x.safetensors", encodeSafetensors(all, metadata)));
    await expect(editing(without)).rejects.toThrow('"unet/position": missing');
  });
});

describe.each([imagic, sine] as unknown as Method[])("$name", (method) => {
  const plan = () => planPreparation(method, model, photo, inputOf(method), someOrigin);
  const file = () => at(`${method.name}.safetensors`);
  /** Sampling with the weights that a value refers to. */
  const editing = async (value: Prepared) => (await edit(method, model, value, {})).latents.edit.data;

  test("stopped or killed with its engine, it resumes to the bytes of an uninterrupted run", async () => {
    const preparing = (onProgress?: () => void) =>
      prepareStored(method, model, photo, plan(), preparedFile(file()), { onProgress });
    // A kill costs a new engine with all its programs. Imagic is stopped while it tunes the embedding.
    const isKilled = method.name !== "imagic";
    const at = isKilled ? tuned(method).progress.total - 1 : 3;
    let steps = 0;
    const stop = () => {
      if (++steps !== at) return;
      if (isKilled) process.kill(model.engine.pid!, "SIGKILL");
      else throw new CancelledError();
    };
    const error = await preparing(stop).catch((error: unknown) => error);
    const expected = isKilled ? [EngineError, ResidentError] : [CancelledError];
    expect(
      expected.some((kind) => error instanceof kind),
      `${error}`,
    ).toBe(true);
    // Saved after the photo is encoded, every second step of a phase, and after its last one.
    const { done } = (await readPrepared(file())).progress;
    expect(done).toBeGreaterThanOrEqual(at - 2);
    expect(done).toBeLessThanOrEqual(at);
    await preparing();
    expect(readFileSync(file()).equals(await encodePrepared(tuned(method)))).toBe(true);
  }, 180_000);

  test("weights in memory, in a file and in the cache give the same bits, and are kept in one place", async () => {
    const bits = await editing(tuned(method));
    const folder = at(`${method.name}-cache`);
    const cache = new PreparedCache({ folder });
    await prepareStored(method, model, photo, plan(), cache);
    const cached = await prepareStored(method, model, photo, plan(), cache);
    for (const [value, place] of [
      [await readPrepared(file()), file()],
      [cached, folder],
    ] as const) {
      expect(Object.keys(value.weights!)).toEqual(["unet"]);
      // Nothing of them is in memory.
      for (const { source } of value.weights!.unet.values()) expect(source.path).toContain(place);
      expect(await editing(value)).toEqual(bits);
    }
  });

  test("weights for another model, damaged or missing ones are refused", async () => {
    const other = await tinyModel("tiny-sd2");
    await expect(edit(method, other, tuned(method), {})).rejects.toThrow(
      /does not fit the model .*tiny-sd2\n.*(shapes|unet)/s,
    );
    await other.close();
    const bytes = await encodePrepared(tuned(method));
    const { metadata, tensors } = await readSafetensors(memorySource("", bytes));
    const all: Record<string, TensorData> = {};
    for (const [name, ref] of tensors) all[name] = { ...ref, data: (await readBytes(ref)).slice() };
    const bias = all["unet/conv_in.bias"];
    const { "unet/conv_in.bias": _, ...without } = all;
    const reading = (changed: Record<string, TensorData>) =>
      decodePrepared(memorySource("x.safetensors", encodeSafetensors(changed, metadata)));
    await expect(edit(method, model, await reading(without), {})).rejects.toThrow('"unet/conv_in.bias": missing');
    const shorter = { ...all, "unet/conv_in.bias": { ...bias, shape: [2], data: new Float32Array(2) } };
    await expect(edit(method, model, await reading(shorter), {})).rejects.toThrow(
      '"unet/conv_in.bias": found shape [2], expected [8]',
    );
    const renamed = { ...without, "unet/conv_in.bias2": bias };
    await expect(edit(method, model, await reading(renamed), {})).rejects.toThrow('"unet/conv_in.bias2": unexpected');
    await expect(reading({ ...all, "text/bias": bias })).rejects.toThrow('"text/bias": unexpected');
    const { weights: _weights, ...bare } = tuned(method);
    await expect(edit(method, model, bare as Prepared, {})).rejects.toThrow('"unet/conv_in.weight": missing');
  });
});

test("too little memory is an error with the estimate, before a weight is loaded or the photo encoded", async () => {
  const method = imagic as Method;
  const { engine } = model;
  const little = vi.spyOn(engine, "checkMemory");
  little.mockImplementation((estimate, what) => checkMemory(estimate, what, 50e6));
  const put = vi.spyOn(engine, "put");
  const work = { onStep: () => Promise.reject(new Error("a step was made")) };
  const plan = planPreparation(method, model, photo, inputOf(method, { trainingBatch: 3 }), someOrigin);
  const error = await prepare(method, model, photo, plan, work).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(MemoryError);
  expect(`${error}`).toMatch(
    /fine-tuning \(unet.*3 pictures of 64x64.* needs more memory than is free: found 0\.1 GB free, expected 0\.\d GB/,
  );
  expect(put).not.toHaveBeenCalled();
  little.mockRestore();
  put.mockRestore();
});

test("weights of the same shapes from another model are refused by their hash", async () => {
  const file = at("imagic.safetensors");
  const value = await readPrepared(file);
  const other = { ...value, origin: { ...value.origin, model: "f".repeat(64) } };
  await expect(imagicApi.edit(model, other)).rejects.toThrow("prepared from another model");
  writeFileSync(at("other.safetensors"), await encodePrepared(other));
  expect((await readPrepared(at("other.safetensors"))).origin.model).toBe("f".repeat(64));
});
