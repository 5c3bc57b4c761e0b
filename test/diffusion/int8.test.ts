import { afterAll, beforeAll, expect, test } from "vitest";
import { noise, row } from "../../src/core/index.ts";
import { type Model, openPredictor } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { makerOf } from "../../src/tasks/index.ts";
import { relativeError } from "../support/run.ts";

const size = { height: 64, width: 64 };
let exact: Model;
let rounded: Model;
beforeAll(async () => {
  exact = await loadModel("menagerie", { threads: 1 });
  rounded = await loadModel("menagerie", { threads: 1, linear: "int8" });
});
afterAll(async () => {
  await exact?.close();
  await rounded?.close();
});

test("noise predictions with linear layers in 8 bits are near those of float32, and a row does not depend on the others", async () => {
  const [first, ...others] = [1, 2, 3, 4].map((seed) => noise(exact.latentShape(size), seed));
  const predict = async (model: Model, latents: (typeof first)[], factor = 1) => {
    const [{ tensor: context }] = await model.embed(["a white cat in the snow"]);
    const large = { ...context, data: context.data.map((x) => factor * x) };
    const rows = latents.map((latent, i) => ({ latent, context: i === 0 ? context : large }));
    return (await openPredictor(model, size)).predict(rows, 500);
  };
  const found = await predict(rounded, [first, ...others]);
  const error = relativeError(found, await predict(exact, [first, ...others]));
  expect(error).toBeLessThan(0.05);
  expect(error).toBeGreaterThan(1e-4);
  const beside = await predict(rounded, [first, others[0]], 30);
  expect(row(beside, 0).data).toEqual(row(found, 0).data);
});

test("the engine and the record of a picture say so", async () => {
  expect(rounded.engine.linear).toBe("int8");
  expect(rounded.engine.versions.onnxruntime).toBe(`${exact.engine.versions.onnxruntime}, linear layers in int8`);
  expect((await makerOf(rounded)).engine).toMatchObject({ precision: "float32", linear: "int8" });
});

test("it is refused with float16, on another device, and if it is no such numbers", async () => {
  await expect(startEngine({ linear: "int8", precision: "float16" })).rejects.toThrow(
    /linear.*found int8 with float16/,
  );
  await expect(startEngine({ linear: "int8", device: "webgpu" })).rejects.toThrow(/found int8 with webgpu/);
  await expect(startEngine({ linear: "int4" as "int8" })).rejects.toThrow(/linear.*int4.*float32, int8/);
});
