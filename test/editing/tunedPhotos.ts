import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import type { Picture, Tensor } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import {
  edit,
  imagic,
  type Method,
  type Prepared,
  planPreparation,
  prepare,
  sdedit,
  sine,
} from "../../src/editing/index.ts";
import { memorySource, readSafetensors } from "../../src/weights/index.ts";
import { smoothPicture, someOrigin, tinyModel } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";
import { fixture, relativeError } from "../support/run.ts";

export const photo = smoothPicture(1);
export const [target, source] = ["a brown dog sitting", "a brown dog standing"];
/** Short settings of both methods. */
export const short = { steps: 4, tuningSteps: 5, tuningRate: 1e-3, saveEvery: 2 };
const optionsOf = (method: Method): object =>
  method.name === "imagic" ? { ...short, embeddingSteps: 3, embeddingRate: 1e-2 } : short;
export const inputOf = (method: Method, more: object = {}) => ({
  target,
  ...(method.name === "sine" && { source }),
  options: { ...optionsOf(method), ...more },
});

/** The model of the tests of a file that has called `usePrepared`. */
export let model: Model;
/** A photo prepared by each method. */
const prepared = new Map<Method, Prepared>();

/** Prepares the photo with short settings. */
export const preparing = (method: Method, more: object = {}, on = model): Promise<Prepared> =>
  prepare(method, on, photo, planPreparation(method, on, photo, inputOf(method, more), someOrigin));

/** Opens the model before the tests of a file, and prepares the photo with Imagic and SINE. */
export function usePrepared(): void {
  beforeAll(async () => {
    model = await tinyModel("tiny-sd1");
    for (const method of [imagic, sine] as Method[]) prepared.set(method, await preparing(method));
  }, 400_000);
  afterAll(() => model.close());
}

/** The photo prepared by a method. */
export const tuned = (method: unknown): Prepared => prepared.get(method as Method)!;

const plainly = sdedit as Method;

/** Edit of SDEdit at strength 1: plain guidance from noise. */
export const plainEdit = async (options: object) => {
  const input = { target, options: { steps: short.steps } };
  const value = await prepare(plainly, model, photo, planPreparation(plainly, model, photo, input, someOrigin));
  return edit(plainly, model, value, { strength: 1, guidance: 3, ...options });
};

/** Expects losses, embedding and latents of a run of tools/parity/finetuning.py. `name`: imagic, sine or sine-patches. */
export async function expectReference(name: string, folder: string): Promise<void> {
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
}
