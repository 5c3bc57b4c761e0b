import { expect, test } from "vitest";
import { nodePlatform } from "../../src/diffusion/node/index.ts";
import { methodNamed } from "../../src/editing/index.ts";
import { modelMemory } from "../../src/index.ts";
import { editMemory } from "../../src/tasks/index.ts";
import { openCheckpoint } from "../../src/weights/index.ts";
import { fixturePath } from "../support/files.ts";
import { hollow, keys } from "../weights/helpers.ts";

const tiny = fixturePath("tiny-sd1");

test("on a graphics card, weights and activations are in its memory; on a CPU, all is in the process's", async () => {
  const method = "plain";
  const cpu = await modelMemory(tiny, { method });
  const card = await modelMemory(tiny, { method, device: "webgpu" });
  expect(cpu.deviceMemory).toBe(0);
  expect(card.deviceMemory).toBeGreaterThan(1e6);
  expect(cpu.size).toEqual({ height: 128, width: 128 });
  expect(
    (await modelMemory(tiny, { method, device: "webgpu", size: { height: 256, width: 256 } })).deviceMemory,
  ).toBeGreaterThan(card.deviceMemory);
});

test("wrong options are refused, all of them at once", async () => {
  const options = { device: "phone" as "cpu", precision: "auto" as "float16", method: "none" };
  await expect(modelMemory(tiny, options)).rejects.toThrow(/precision.*device/s);
  await expect(modelMemory(tiny, { method: "none" })).rejects.toThrow(/no such method/);
});

test("Stable Diffusion 1.5 takes half the bytes of the U-Net in float16", async () => {
  const file = hollow("sd.safetensors", keys["SD1.x"].original);
  const checkpoint = await openCheckpoint(file, { prediction: "epsilon" });
  const method = methodNamed("plain");
  const memoryOn = (on: object) => editMemory(checkpoint, nodePlatform, { method, on });
  const whole = await memoryOn({ device: "webgpu" });
  const half = await memoryOn({ device: "webgpu", precision: "float16" });
  // 859,520,964 parameters.
  expect(whole.deviceMemory - half.deviceMemory).toBeGreaterThan(1.7e9);
  expect(half.deviceMemory).toBeLessThan(3e9);
  // The token embedding is larger than the 128 MiB that every adapter offers; the VAE's finest values are computed in parts.
  expect(half.largestBuffer).toBe(4 * 49_408 * 768);
});
