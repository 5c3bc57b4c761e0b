import { expect, test } from "vitest";
import { CancelledError, EngineError } from "../../src/core/index.ts";
import { automaticPrecision, inPrecision, type PrecisionFacts, verdict } from "../../src/runtime/choosePrecision.ts";
import type { Device, Engine } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";

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
    "float32: float32 is used, which takes more memory: float16 cannot be computed (no f16) on webgpu",
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

test.each([
  [1e-3, 0.5, "float16", "float16 takes 0.50 of float32's time"],
  [1e-3, 0.95, "float32", "float16 takes 0.95 of float32's time"],
  [0.05, 0.5, "float32", "float16 differs from float32 by 5e-2"],
  [Number.NaN, 0.5, "float32", "float16 differs from float32 and is not finite"],
])("an error of %f at %f of float32's time leads to %s", (error, share, precision, because) => {
  expect(verdict(error, share)).toEqual({ precision, because });
});

test("a device that computes right in float16, but slower, takes float32: the piece of a U-Net runs in both", async () => {
  const cpu = await startEngine({ threads: 1 });
  try {
    const device = { value: "webgpu" satisfies Device };
    const { precision, because } = await automaticPrecision(Object.create(cpu, { device }) as Engine);
    expect(precision).toBe("float32");
    // A busy machine may need more than 10 s.
    expect(because).toMatch(/^(float16 takes \d+\.\d\d of float32's time|too slow to try float16)$/);
  } finally {
    await cpu.close();
  }
});
