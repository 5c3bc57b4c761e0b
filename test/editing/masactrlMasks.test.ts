import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Mask, Random, row, type Tensor, tensor, UsageError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import {
  edit,
  masactrl as method,
  type Prepared,
  planPreparation,
  prepare,
  resolvedSettings,
  sweep,
} from "../../src/editing/index.ts";
import { markedPlaces } from "../../src/editing/methods/masactrl/masks.ts";
import { memorySource, readSafetensors } from "../../src/weights/index.ts";
import { stepDifferences } from "../../tools/parity/steps.ts";
import { smoothPicture, someOrigin, tinyModel } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";
import { fixture, relativeError } from "../support/run.ts";

// Mask-guided MasaCtrl: masks of the subject in the photo and in the edit.

const steps = 4;
const [target, source] = ["a dog lying down", "a dog standing"];
const photo = smoothPicture(1);

const maskOf = (width: number, height: number, isMarked: (k: number) => boolean): Mask => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height }, (_, k) => (isMarked(k) ? 255 : 0)),
});
const drawn = (seed: number): Mask => {
  const random = new Random(seed);
  return maskOf(8, 8, () => random.uniform() > 0.5);
};
const all = maskOf(64, 64, () => true);

/** Reads a run of tools/parity/masactrl.py and prepares what it began with. */
async function referenceOf(name: string, model: Model) {
  const path = fixturePath(`masactrl-${name}.safetensors`);
  const { metadata } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
  const settings = JSON.parse(metadata.settings);
  const values = (await fixture(path)) as Record<string, Tensor>;
  const input = {
    target: settings.target,
    source: settings.source || undefined,
    options: { steps: settings.steps },
  };
  const made = await prepare(method, model, photo, planPreparation(method, model, photo, input, someOrigin));
  const last = row(values.latents, settings.steps);
  const edited = { shape: [1, ...last.shape.slice(2)], data: last.data.subarray(last.data.length / 2) };
  const { step, layer, guidance, reference_latents: referenceLatents } = settings;
  const options = { step, layer, guidance, referenceLatents };
  return { settings, values, options, edited, prepared: { ...made, tensors: { inverted: values.inverted } } };
}

/** The largest difference of a latent of either branch after one step from the reference's. */
const worstStep = async (model: Model, prepared: Prepared, options: object, latents: Tensor): Promise<number> => {
  const branches = ["source", "edit"] as const;
  const found = await stepDifferences(method, model, prepared, options, latents, branches, relativeError);
  return Math.max(...found.source, ...found.edit);
};

describe("tiny-sd1", () => {
  let model: Model;
  let prepared: Prepared;
  beforeAll(async () => {
    model = await tinyModel("tiny-sd1");
    const plan = planPreparation(method, model, photo, { target, source, options: { steps } }, someOrigin);
    prepared = await prepare(method, model, photo, plan);
  });
  afterAll(() => model.close());
  const editing = async (options: object): Promise<Tensor> =>
    (await edit(method, model, prepared, { guidance: 3, step: 1, layer: 0, ...options })).latents.edit;

  test("with masks from files, the edit has the reference's latents", async () => {
    const { values, options, edited, prepared } = await referenceOf("masks-tiny-sd1", model);
    const [sourceMask, targetMask] = [values.keys, values.queries].map(({ shape: [h, w], data }) =>
      maskOf(w, h, (k) => data[k] === 1),
    );
    const run = async (masks: object): Promise<Tensor> =>
      (await edit(method, model, prepared, { ...options, ...masks })).latents.edit;
    expect(relativeError(await run({ sourceMask, targetMask }), edited)).toBeLessThan(1e-3);
    const masked = { ...options, sourceMask, targetMask };
    expect(await worstStep(model, prepared, masked, values.latents)).toBeLessThan(1e-3);
    // Exchanged masks would exceed the limit.
    expect(relativeError(await run({ sourceMask: targetMask, targetMask: sourceMask }), edited)).toBeGreaterThan(5e-3);
  });

  test("masks of all places, given or from words at threshold 0, are no masks", async () => {
    const plain = await editing({});
    const words = { sourceMaskWords: ["dog"], targetMaskWords: ["dog"], maskThreshold: 0 };
    for (const masks of [{ sourceMask: all, targetMask: all }, words])
      expect(relativeError(await editing(masks), plain)).toBeLessThan(1e-4);
  });

  test("masks of the background give the same edit as masks of the subject", async () => {
    const [sourceMask, targetMask] = [drawn(1), drawn(2)];
    const inverse = ({ width, height, data }: Mask): Mask => maskOf(width, height, (k) => data[k] === 0);
    const made = await editing({ sourceMask, targetMask });
    const other = await editing({ sourceMask: inverse(sourceMask), targetMask: inverse(targetMask) });
    expect(relativeError(other, made)).toBeLessThan(1e-4);
    expect(relativeError(await editing({}), made)).toBeGreaterThan(1e-3);
  });

  test("a sweep over masks gives the pictures of single edits", async () => {
    const given = { sourceMask: drawn(1), targetMask: drawn(2) };
    const words = { sourceMaskWords: ["dog"], targetMaskWords: ["lying down"], maskThreshold: 0.5 };
    const points = [{}, given, { ...given, targetMask: drawn(3) }, words];
    const { pictures } = await sweep(method, model, prepared, { step: 1, layer: 0 }, points);
    expect(new Set(pictures.map(({ data }) => `${data}`)).size).toBe(points.length);
    for (const [k, point] of points.entries()) {
      const single = await edit(method, model, prepared, { step: 1, layer: 0, ...point });
      expect(single.images.edit, JSON.stringify(point)).toEqual(pictures[k]);
    }
  });

  test.each<[string, object, RegExp]>([
    [
      "a mask of the photo alone",
      { sourceMask: all },
      /targetMask, targetMaskWords: found neither, expected one of them beside sourceMask\./,
    ],
    [
      "words of the target alone",
      { targetMaskWords: ["dog"] },
      /sourceMask, sourceMaskWords: found neither, expected one of them beside targetMaskWords/,
    ],
    [
      "a mask and words for one side, and a path that nobody has read",
      { sourceMask: all, sourceMaskWords: ["dog"], targetMask: "mask.png" },
      /sourceMask, sourceMaskWords: found both, expected a mask or words\n {2}targetMask: found a path/,
    ],
    [
      "words that the prompts do not have",
      { sourceMaskWords: ["lying"], targetMaskWords: ["dog", "cow"] },
      /sourceMaskWords: found "lying", expected some of a, dog, standing\n {2}targetMaskWords: found "cow", expected some of a, dog, lying, down/,
    ],
    [
      "a mask that is none",
      { sourceMask: { width: 2, height: 2, data: [1] }, targetMask: all },
      /sourceMask: .*white where something is marked/,
    ],
    ["no words", { sourceMaskWords: [], targetMask: all }, /sourceMaskWords: found \[\], expected at least one word/],
    ["a threshold out of range", { maskThreshold: 2 }, /maskThreshold: found 2, expected 0\.\.1/],
  ])("%s: refused", (_, options, message) => {
    const resolve = () => resolvedSettings(method, model, prepared, options);
    expect(resolve).toThrow(UsageError);
    expect(resolve).toThrow(message);
  });

  test("words of the caption without a caption are refused", () => {
    const words = { sourceMaskWords: ["dog"], targetMaskWords: ["dog"] };
    const { source: _, ...uncaptioned } = prepared;
    expect(() => resolvedSettings(method, model, uncaptioned, words)).toThrow(
      /sourceMaskWords: found no caption of the photo that has these words, expected one/,
    );
  });
});

test("with masks from words, the edit has the reference's latents", async () => {
  const model = await tinyModel("tiny-sd2");
  const { settings, values, options, edited, prepared } = await referenceOf("words-tiny-sd2", model);
  const words = {
    sourceMaskWords: [settings.source_word],
    targetMaskWords: [settings.target_word],
    maskThreshold: settings.threshold,
  };
  const run = async (masks: object): Promise<Tensor> =>
    (await edit(method, model, prepared, { ...options, ...masks })).latents.edit;
  expect(relativeError(await run(words), edited)).toBeLessThan(1e-3);
  expect(await worstStep(model, prepared, { ...options, ...words }, values.latents)).toBeLessThan(1e-3);
  // Other words and another threshold would exceed the limit.
  for (const other of [
    { ...words, targetMaskWords: ["white"] },
    { ...words, maskThreshold: 0.2 },
  ])
    expect(relativeError(await run(other), edited), JSON.stringify(other)).toBeGreaterThan(2e-3);
  await model.close();
});

test("a place is marked from the threshold on, between the lowest and the highest attention; flat attention marks all", () => {
  const heat = tensor([2, 3], Float32Array.of(1, 2, 3, 5, 4, 2.9));
  expect([...markedPlaces(heat, 0.5).data]).toEqual([0, 0, 255, 255, 255, 0]);
  expect(markedPlaces(heat, 0.5)).toMatchObject({ width: 3, height: 2 });
  expect([...markedPlaces(heat, 1).data]).toEqual([0, 0, 0, 255, 0, 0]);
  expect([...markedPlaces(tensor([1, 2]), 0.5).data]).toEqual([255, 255]);
});
