import { afterAll, beforeAll, expect, test } from "vitest";
import { row } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { baret, fidelityOf } from "../../src/editing/index.ts";
import type { BaretPrepared } from "../../src/editing/methods/baret/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { qualityWarnings } from "../../src/tasks/index.ts";
import { prepared, smoothPicture, tinyModel, withTensors } from "../support/baret.ts";

const photo = smoothPicture(4);
let model: Model;
let inversion: BaretPrepared;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  const options = { target: "a dog", steps: 3, iterations: 0 };
  inversion = await prepared(model, photo, options);
});
afterAll(() => model.close());

test("the loss of the VAE, the loss of the inversion and their sum are measured separately", async () => {
  const { vae, inversion: lost, photo: both, roundTrip } = await fidelityOf(baret, model, inversion, { photo });
  expect(roundTrip).toEqual(await model.roundTrip(photo));
  const [reconstruction] = await model.decode(row(inversion.tensors.reconstruction, 3));
  expect(vae).toBe(psnr(roundTrip, photo));
  expect(lost).toBe(psnr(reconstruction, roundTrip));
  expect(both).toBe(psnr(reconstruction, photo));
});

test("a perfect reconstruction has no inversion loss", async () => {
  const perfect = withTensors(inversion, { reconstruction: inversion.tensors.inverted });
  const { inversion: lost, vae, photo: both } = await fidelityOf(baret, model, perfect, { photo });
  expect(lost).toBe(Number.POSITIVE_INFINITY);
  expect(both).toBe(vae);
});

test("an edit with reference latents has no inversion loss, and its reconstruction without tuning gives no warning", async () => {
  // Without the photo: this model's VAE knows no picture, which would be the only warning.
  const of = (edit?: Readonly<Record<string, unknown>>) => fidelityOf(baret, model, inversion, { edit });
  const warned = async (edit?: Readonly<Record<string, unknown>>) =>
    qualityWarnings(baret, model, inversion, await of(edit), "photo.png").map(({ code }) => code);
  expect(await of({ referenceLatents: false })).toEqual(await of());
  expect((await of({ referenceLatents: true })).inversion).toBe(Number.POSITIVE_INFINITY);
  expect(await warned({ referenceLatents: false })).toEqual(["poor-reconstruction"]);
  expect(await warned({ referenceLatents: true })).toEqual([]);
});

test("without the photo, only the loss of the inversion is measured", async () => {
  const fidelity = await fidelityOf(baret, model, inversion);
  expect(fidelity.vae).toBeUndefined();
  expect(fidelity.photo).toBeUndefined();
  expect(fidelity.inversion).toBeGreaterThan(0);
});
