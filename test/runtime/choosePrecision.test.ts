import { expect, test } from "vitest";
import { CancelledError, EngineError } from "../../src/core/index.ts";
import { inPrecision, type PrecisionFacts } from "../../src/runtime/choosePrecision.ts";
import type { Device, Engine } from "../../src/runtime/index.ts";

/** Makes engines of a device on which every program fails to run, as a graphics card without float16. */
function makerOf(device: Device, failure: Error = new EngineError("cannot be run", { found: "no f16" })) {
  const made: PrecisionFacts[] = [];
  const make = (facts: PrecisionFacts): Engine => {
    made.push(facts);
    return { device, ...facts, load: () => Promise.reject(failure) } as unknown as Engine;
  };
  return { made, make };
}

test("auto takes float32 with the reason if float16 fails on the device, and float16 itself is refused", async () => {
  const { make } = makerOf("webgpu");
  const engine = await inPrecision("auto", "webgpu", make);
  expect(engine.precision).toBe("float32");
  expect(engine.warnings?.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    "float32: webgpu cannot compute in float16 (no f16), so float32 is used: it takes more memory and time",
  ]);
  await expect(inPrecision("float16", "webgpu", make)).rejects.toThrow(/cannot compute in float16.*no f16/);
});

test("float32 tries nothing, and neither does auto on a CPU, which is slower in float16", async () => {
  for (const [choice, device] of [["float32", "webgpu"] as const, ["auto", "cpu"] as const]) {
    const { made, make } = makerOf(device);
    const engine = await inPrecision(choice, device, make);
    expect([engine.precision, engine.warnings]).toEqual(["float32", undefined]);
    expect(made).toHaveLength(1);
  }
});

test("a cancelled test of float16 is no reason to take float32", async () => {
  const { make } = makerOf("webgpu", new CancelledError("the test"));
  await expect(inPrecision("auto", "webgpu", make)).rejects.toThrow(CancelledError);
});
