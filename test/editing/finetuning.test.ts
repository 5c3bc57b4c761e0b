import { writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { MemoryError, noise } from "../../src/core/index.ts";
import { openPredictor, sample } from "../../src/diffusion/index.ts";
import {
  decodePrepared,
  edit,
  encodePrepared,
  imagic,
  type Method,
  type Prepared,
  planPreparation,
  prepare,
  sine,
  sweep,
} from "../../src/editing/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { imagic as imagicApi } from "../../src/index.ts";
import { checkMemory } from "../../src/runtime/node/index.ts";
import {
  encodeSafetensors,
  memorySource,
  readBytes,
  readSafetensors,
  type TensorData,
} from "../../src/weights/index.ts";
import { someOrigin, tinyModel } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";
import {
  expectReference,
  inputOf,
  model,
  photo,
  plainEdit,
  preparing,
  short,
  source,
  target,
  tuned,
  usePrepared,
} from "./tunedPhotos.ts";

// Tuning weights on one photo: Imagic and SINE. Long runs and SINE with patches are in tunedWeights.test.ts.

const at = temporaryFolder();
usePrepared();

test.each([
  ["imagic", "tiny-sd1"],
  ["sine", "tiny-sd1"],
])("%s on %s has the reference's losses, embedding and latents", expectReference);

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

describe.each([imagic, sine] as unknown as Method[])("$name", (method) => {
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
  const value = tuned(imagic);
  const other = { ...value, origin: { ...value.origin, model: "f".repeat(64) } };
  await expect(imagicApi.edit(model, other)).rejects.toThrow("prepared from another model");
  writeFileSync(at("other.safetensors"), await encodePrepared(other));
  expect((await readPrepared(at("other.safetensors"))).origin.model).toBe("f".repeat(64));
});
