import { afterAll, beforeAll, expect, test } from "vitest";
import { noise, type Picture } from "../../src/core/index.ts";
import { generate, type Model, openPredictor } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { relativeError } from "../support/run.ts";

// On a CPU, onnxruntime computes float16 in float32 and rounds every result, as a graphics card with exact sums would.

let whole: Model;
let half: Model;
beforeAll(async () => {
  whole = await loadModel("menagerie", { threads: 1 });
  half = await loadModel("menagerie", { threads: 1, precision: "float16" });
});
afterAll(async () => {
  await whole?.close();
  await half?.close();
});

test("a noise prediction in float16 differs from float32 by less than 0.2 %, and its engine says so", async () => {
  expect(half.engine.precision).toBe("float16");
  expect(half.engine.versions.onnxruntime).toBe(`${whole.engine.versions.onnxruntime}, float16`);
  const size = { height: 64, width: 64 };
  const latent = noise(whole.latentShape(size), 1);
  const predict = async (model: Model) => {
    const [{ tensor: context }] = await model.embed(["a white cat in the snow"]);
    const rows = [latent, latent].map((one) => ({ latent: one, context }));
    return (await openPredictor(model, size)).predict(rows, 500);
  };
  const error = relativeError(await predict(half), await predict(whole));
  expect(error).toBeLessThan(2e-3);
  // Equal results would mean that nothing was computed in float16.
  expect(error).toBeGreaterThan(1e-5);
});

test("a picture generated in float16 is at least 50 dB from float32's", async () => {
  const picture = async (model: Model): Promise<Picture> => {
    const options = { steps: 6, seed: 5, size: { height: 128, width: 128 } };
    return (await generate(model, ["a brown dog lying on the grass"], options))[0].picture;
  };
  const distance = psnr(await picture(half), await picture(whole));
  expect(distance).toBeGreaterThan(50);
});
