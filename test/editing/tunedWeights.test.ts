import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { CancelledError, EngineError, type Picture, ResidentError } from "../../src/core/index.ts";
import { openPredictor } from "../../src/diffusion/index.ts";
import {
  decodePrepared,
  edit,
  encodePrepared,
  imagic,
  type Method,
  type Prepared,
  planPreparation,
  planPrepared,
  prepareStored,
  sine,
} from "../../src/editing/index.ts";
import { PreparedCache, preparedFile, readPrepared } from "../../src/editing/node/index.ts";
import { positionGrid } from "../../src/models/index.ts";
import {
  encodeSafetensors,
  memorySource,
  readBytes,
  readSafetensors,
  readTensor,
  type TensorData,
} from "../../src/weights/index.ts";
import { someOrigin } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";
import { relativeError } from "../support/run.ts";
import { expectReference, inputOf, model, photo, plainEdit, preparing, tuned, usePrepared } from "./tunedPhotos.ts";

// Tuning weights on one photo, at length: other models, patches, stopping and resuming.

const at = temporaryFolder();
usePrepared();

test.each([
  ["imagic", "tiny-sd2"],
  ["sine-patches", "tiny-sd1"],
])("%s on %s has the reference's losses, embedding and latents", { timeout: 400_000 }, expectReference);

describe("sine with patches", () => {
  const method = sine as Method;
  const patched = { patches: 2 };
  let value: Prepared;
  beforeAll(async () => {
    value = await preparing(method, patched);
  }, 300_000);
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
  }, 300_000);

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
  }, 400_000);

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
  }, 400_000);

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
});
