import { expect, test } from "vitest";
import { type Device, devices } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { notLinux, titled } from "../support/needs.ts";

test("an engine computes in a process of its own", async () => {
  const engine = await startEngine();
  expect(engine.pid).toBeGreaterThan(1);
  expect(engine.pid).not.toBe(process.pid);
  await engine.close();
  expect(engine.pid).toBeUndefined();
});

/** Starts an engine on a device. Returns "runs", "replaced" if it is on another device, or the error. */
const outcomeOn = (device: Device): Promise<string> =>
  startEngine({ device }).then(
    async (started) => {
      await started.close();
      return started.device === device ? "runs" : "replaced";
    },
    (error: Error) => `${error.name}: ${error.message}`,
  );

test("the requested device runs, or a DeviceError gives the reason", async () => {
  const outcomes = await Promise.all(devices.map(outcomeOn));
  expect(outcomes[0]).toBe("runs");
  for (const [i, outcome] of outcomes.entries()) {
    const absent = `^DeviceError: this build of onnxruntime does not have the device: found ${devices[i]}, expected cpu`;
    const unusable = `^DeviceError: ${devices[i]}: the device cannot be used here: found .+use the device cpu`;
    expect(outcome).toMatch(new RegExp(`^runs$|${absent}|${unusable}`, "s"));
  }
  // No machine has CUDA, Apple's and Microsoft's at once.
  expect(outcomes.filter((outcome) => outcome.startsWith("DeviceError")).length).toBeGreaterThan(1);
});

// onnxruntime-node has CUDA and WebGPU on Linux x64 alone. Elsewhere these devices are absent, as the test above expects.
const absent = process.arch === "x64" ? notLinux : "skipped, this is not an x64 machine";

test.skipIf(absent)(
  titled("an error about CUDA names the missing library and says how to get it", absent),
  async () => {
    const outcome = await outcomeOn("cuda");
    const library = /lib\S+\.so\S*: cannot open shared object file/;
    const driver = /no CUDA-capable device/;
    expect(outcome).toMatch(new RegExp(`^runs$|${library.source}|${driver.source}`));
    if (outcome.includes("onnxruntime_providers_shared")) expect(outcome).toContain("baret cuda install");
  },
);

test.skipIf(absent)(
  titled("an error about WebGPU gives the reason from the log of the graphics driver", absent),
  async () => {
    const reason = /found .*(Failed to get a WebGPU adapter: .*; .*(vk|[Vv]ulkan)|libvulkan)/;
    expect(await outcomeOn("webgpu")).toMatch(new RegExp(`^runs$|${reason.source}`));
  },
);
