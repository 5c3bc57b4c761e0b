import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { row, type Tensor, tensor } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { baret, edit, type Prepared, sweep } from "../../src/editing/index.ts";
import { changedPlaces } from "../../src/editing/methods/baret/blend.ts";
import { prepared, smoothPicture, tinyModel } from "../support/baret.ts";

/** A latent [1, 2, 16, 16] that is 0 except in a square. */
function latentWith(value: number, from: number, to: number): Tensor {
  const latent = tensor([1, 2, 16, 16]);
  latent.data.forEach((_, k) => {
    const [y, x] = [Math.floor(k / 16) % 16, k % 16];
    if (y >= from && y < to && x >= from && x < to) latent.data[k] = value;
  });
  return latent;
}
const inSquare = (k: number, from: number, to: number): boolean =>
  [Math.floor(k / 16), k % 16].every((at) => at >= from && at < to);

describe("places that an edit changes", () => {
  const photo = tensor([1, 2, 16, 16]);

  test("are those around its changes, whatever their size", () => {
    for (const value of [0.01, 3]) {
      const changed = changedPlaces(latentWith(value, 5, 10), photo, 0.3);
      changed.forEach((is, k) => {
        if (inSquare(k, 5, 10)) expect(is).toBe(true);
        if (!inSquare(k, 3, 12)) expect(is).toBe(false);
      });
    }
  });

  test("become fewer as the threshold rises, and none lies outside those of a lower one", () => {
    const edit = latentWith(1, 4, 12);
    edit.data.forEach((_, k) => {
      edit.data[k] += 0.2 * Math.sin(k);
    });
    const masks = [0, 0.2, 0.4, 0.6, 0.8].map((threshold) => changedPlaces(edit, photo, threshold));
    for (let k = 1; k < masks.length; k++) expect(masks[k].every((is, at) => !is || masks[k - 1][at])).toBe(true);
    expect(masks[0].every(Boolean)).toBe(true);
    expect(masks[4].filter(Boolean).length).toBeLessThan(masks[1].filter(Boolean).length);
  });

  test("are none if the edit is the photo", () => {
    expect(changedPlaces(photo, photo, 0.5).some(Boolean)).toBe(false);
  });
});

describe("an edit that keeps what it hardly changes", () => {
  let model: Model;
  let dog: Prepared;
  beforeAll(async () => {
    model = await tinyModel("tiny-sd1");
    dog = await prepared(model, smoothPicture(1), { target: "a dog lying down", steps: 6, iterations: 1, guidance: 3 });
  });
  afterAll(() => model.close());
  const fixed = { strength: "fixed", alpha: 0.5, selfSteps: 0.5, crossSteps: 0.5 } as const;

  test("is the photo in more places the higher the threshold", async () => {
    const photo = row(dog.tensors.inverted, 6);
    const equal = async (blendBelow: number): Promise<number> => {
      const { latents } = await edit(baret, model, dog, { ...fixed, blendBelow });
      return latents.edit.data.filter((value, k) => value === photo.data[k]).length;
    };
    const counts = [await equal(0), await equal(0.3), await equal(0.9)];
    expect(counts[0]).toBe(0);
    expect(counts[1]).toBeLessThan(counts[2]);
    expect(counts[2]).toBeGreaterThan(photo.data.length / 4);
  });

  test("blends from its start on only", async () => {
    const { latents } = await edit(baret, model, dog, { ...fixed, blendBelow: 0.3, blendStart: 1 });
    const { latents: unblended } = await edit(baret, model, dog, { ...fixed, blendBelow: 0 });
    expect(latents.edit.data).toEqual(unblended.edit.data);
  });

  test("gives the same latents alone as in a batch with others", async () => {
    const points = [{ blendBelow: 0.3 }, { blendBelow: 0.6 }, { blendBelow: 0 }];
    const { pictures } = await sweep(baret, model, dog, fixed, points);
    for (const [k, point] of points.entries()) {
      const { images } = await edit(baret, model, dog, { ...fixed, ...point });
      expect(pictures[k]).toEqual(images.edit);
    }
  });

  test("draws its new noise by the seed", async () => {
    const [first, again, other] = await Promise.all(
      [1, 1, 2].map((seed) => edit(baret, model, dog, { ...fixed, newNoise: 0.5, seed })),
    );
    expect(again.latents.edit).toEqual(first.latents.edit);
    expect(other.latents.edit).not.toEqual(first.latents.edit);
  });
});
