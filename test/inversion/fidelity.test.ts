import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "../../src/diffusion/index.ts";
import { fidelityOf, type Inversion, invert } from "../../src/inversion/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { smoothPicture, someOrigin, tinyModel } from "../support/baret.ts";

const photo = smoothPicture(4);
let model: Model;
let inversion: Inversion;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  const options = { target: "a dog", steps: 3, iterations: 0 };
  inversion = await invert(model, photo, options, someOrigin);
});
afterAll(() => model.close());

test("what the VAE loses and what the inversion loses are told apart", async () => {
  const { vae, inversion: lost, photo: both, roundTrip, reconstruction } = await fidelityOf(model, inversion, photo);
  expect(roundTrip).toEqual(await model.roundTrip(photo));
  expect(vae).toBe(psnr(roundTrip, photo));
  expect(lost).toBe(psnr(reconstruction, roundTrip));
  expect(both).toBe(psnr(reconstruction, photo));
});

test("an inversion that leads back to where it began loses nothing", async () => {
  const perfect = { ...inversion, reconstruction: inversion.inverted };
  const { inversion: lost, vae, photo: both } = await fidelityOf(model, perfect, photo);
  expect(lost).toBe(Number.POSITIVE_INFINITY);
  expect(both).toBe(vae);
});

test("without the photo, only the inversion is judged", async () => {
  const fidelity = await fidelityOf(model, inversion);
  expect(fidelity.vae).toBeUndefined();
  expect(fidelity.photo).toBeUndefined();
  expect(fidelity.inversion).toBeGreaterThan(0);
});
