import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noise, type Picture, row, type Tensor, tensor, UsageError } from "../../src/core/index.ts";
import { generate, type Model, openPredictor, sample } from "../../src/diffusion/index.ts";
import { methodNamed } from "../../src/editing/index.ts";
import { firstStepAt, noisedPhoto } from "../../src/editing/methods/sdedit/index.ts";
import { sdedit } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { memorySource, readSafetensors } from "../../src/weights/index.ts";
import { stepDifferences } from "../../tools/parity/steps.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";
import { fixture, relativeError } from "../support/run.ts";

const size = { width: 64, height: 64 };
const target = "a dog lying down";
const photo = smoothPicture(1);
const examplePhoto = fileURLToPath(new URL("../../examples/dog.png", import.meta.url));

// Of get_timesteps in diffusers' pipeline_stable_diffusion_img2img.py: N - min(int(N * strength), N). 100 * 0.29 is a
// little less than 29.
test.each([
  [50, 1, 0],
  [50, 0.8, 10],
  [50, 0.75, 13],
  [50, 0.6, 20],
  [100, 0.29, 72],
  [8, 0.2, 7],
  [50, 0.01, 50],
  [50, 0, 50],
])("of %i steps, strength %d begins at the step at which diffusers' img2img begins", (N, strength, step) => {
  expect(firstStepAt(strength, N)).toBe(step);
});

test("the start mixes photo and noise by the square roots of alpha-bar and its complement", () => {
  const [z, n] = [tensor([1, 1, 1, 2], Float32Array.of(0.5, -2)), tensor([1, 1, 1, 2], Float32Array.of(1.5, 0.25))];
  const alphaBar = [0.0057755, 0.36, 0.998296, 0.99915];
  const values = Array.from(noisedPhoto({ alphaBar }, 1, z, n).data);
  expect(values[0]).toBeCloseTo(0.6 * 0.5 + 0.8 * 1.5, 6);
  expect(values[1]).toBeCloseTo(0.6 * -2 + 0.8 * 0.25, 6);
  expect(noisedPhoto({ alphaBar }, 0, z, n)).toBe(n);
  expect(noisedPhoto({ alphaBar }, 3, z, n)).toBe(z);
});

describe.each(["tiny-sd1", "tiny-sd2"])("%s", (name) => {
  let model: Model;
  let prepared: Awaited<ReturnType<typeof sdedit.prepare>>;
  let kept: Picture;
  beforeAll(async () => {
    model = await tinyModel(name);
    prepared = await sdedit.prepare(model, photo, { target, steps: 6, size, cache: false });
    kept = await model.roundTrip(photo);
  });
  afterAll(() => model.close());

  test("strength 1 is generation from the seed's noise, to the bit", async () => {
    const { images, latents, rows } = await sdedit.edit(model, prepared, { strength: 1, seed: 5, guidance: 3 });
    const [made] = await generate(model, [target], { steps: 6, size, seed: 5, guidance: 3 });
    expect(images.edit).toEqual(made.picture);
    const [{ tensor: unconditional }, { tensor: context }] = await model.embed(["", target]);
    const start = noise(prepared.tensors.photo.shape, 5);
    const sampling = { start, contexts: [context], unconditional, guidance: 3 };
    expect(latents.edit).toEqual(await sample(await openPredictor(model, size), model.schedule(6), sampling));
    expect(rows).toBe(2 * 6);
  });

  test("its start and each of its steps have the latents of the reference in PyTorch", async () => {
    const path = fixturePath(`sdedit-${name}.safetensors`);
    const { metadata } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
    const { steps, target, strength, guidance, seed } = JSON.parse(metadata.settings);
    const { photo: encoded, latents } = (await fixture(path)) as Record<string, Tensor>;
    const own = await sdedit.prepare(model, photo, { target, steps, size, cache: false });
    const theirs = { ...own, tensors: { photo: encoded } };
    const options = { strength, guidance, seed };
    const sampled = latents.shape[0] - 1;
    expect(sampled).toBe(steps - firstStepAt(strength, steps));
    const method = methodNamed("sdedit");
    const { edit } = await stepDifferences(method, model, theirs, options, latents, ["edit"], relativeError);
    expect(edit).toHaveLength(sampled);
    expect(Math.max(...edit)).toBeLessThan(1e-3);
    // From the seed on: a start that differs would stay different.
    const editing = async (changed: object): Promise<number> => {
      const made = await sdedit.edit(model, theirs, { ...options, ...changed });
      return relativeError(made.latents.edit, { ...made.latents.edit, data: row(latents, sampled).data });
    };
    expect(await editing({})).toBeLessThan(1e-3);
    for (const other of [{ seed: seed + 1 }, { guidance: 2 * guidance }, { strength: 2 / steps }])
      expect(await editing(other), JSON.stringify(other)).toBeGreaterThan(1e-2);
  });

  test("a caption gives a warning and is not kept", async () => {
    const captioned = await sdedit.prepare(model, photo, { target, source: "a dog", steps: 6, size, cache: false });
    expect(captioned.warnings.map(({ code }) => code)).toContain("unused-caption");
    expect(prepared.warnings.map(({ code }) => code)).not.toContain("unused-caption");
    expect(captioned).not.toHaveProperty("source");
    expect(captioned.tensors).toEqual(prepared.tensors);
  });

  test("strength 0 is the VAE's round trip of the photo, without a noise prediction", async () => {
    const { images, rows } = await sdedit.edit(model, prepared, { strength: 0 });
    expect(images.edit).toEqual(kept);
    expect(rows).toBe(0);
  });

  test("equal seeds give equal edits, alone or in a sweep; other seeds give other edits", async () => {
    const strength = 0.5;
    const [first, again, other] = await Promise.all(
      [1, 1, 2].map((seed) => sdedit.edit(model, prepared, { strength, seed })),
    );
    expect(again.images.edit).toEqual(first.images.edit);
    expect(other.images.edit).not.toEqual(first.images.edit);
    const { pictures } = await sdedit.sweep(model, prepared, { strength }, [{ seed: 2 }, { seed: 1 }, { strength: 1 }]);
    expect(pictures.slice(0, 2)).toEqual([other.images.edit, first.images.edit]);
  });

  test("a strength or seed out of range, and a strength that leaves no step, are refused", async () => {
    const edit = (options: object) => sdedit.edit(model, prepared, options);
    await expect(edit({ strength: 1.01 })).rejects.toThrow("options.strength: found 1.01, expected 0..1");
    await expect(edit({ strength: -0.1 })).rejects.toThrow(UsageError);
    await expect(edit({ seed: -1 })).rejects.toThrow(/options\.seed: found -1, expected a whole number in 0\.\./);
    await expect(edit({ strength: 0.1 })).rejects.toThrow(
      /strength: no step is left to sample: found 0\.1, expected 0, or at least 0\.167 with 6 steps/,
    );
  });
});

test("less strength keeps more of the photo and takes fewer predictions", async () => {
  const model = await tinyModel("menagerie");
  const target = "a brown dog sitting on the grass";
  const prepared = await sdedit.prepare(model, examplePhoto, { target, steps: 10, cache: false });
  const kept = await model.decode(prepared.tensors.photo);
  const strengths = [0.1, 0.4, 0.7, 1];
  const edits = [];
  for (const strength of strengths) edits.push(await sdedit.edit(model, prepared, { strength }));
  const likeness = edits.map(({ images }) => psnr(images.edit, kept[0]));
  expect(likeness).toEqual(likeness.toSorted((a, b) => b - a));
  expect(likeness[0]).toBeGreaterThan(likeness[3] + 6);
  expect(edits.map(({ rows }) => rows)).toEqual([2 * 1, 2 * 4, 2 * 7, 2 * 10]);
  await model.close();
});
