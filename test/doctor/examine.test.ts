import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { CancelledError, DeviceError, EngineError, type Tensor } from "../../src/core/index.ts";
import { doctorReport, examineDevices } from "../../src/doctor/index.ts";
import { examineMachine } from "../../src/doctor/node/index.ts";
import type { Device, Engine, Session } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";

let cpu: Engine;
vi.setConfig({ testTimeout: 240_000 });

beforeAll(async () => {
  cpu = await startEngine({ threads: 1 });
});
afterAll(() => cpu.close());

/** Changes results of a run, or what happens instead. */
type Fault = (
  results: Record<string, Tensor>,
  program: string,
  signal?: AbortSignal,
) => Promise<Record<string, Tensor>>;

/** The CPU under the name of a device whose runs have a fault. */
const faulty = (device: Device, fault: Fault): Engine =>
  new Proxy(cpu, {
    get(engine, key) {
      if (key === "device") return device;
      if (key === "close") return async () => undefined;
      if (key !== "load") return Reflect.get(engine, key);
      return async (...args: Parameters<Engine["load"]>): Promise<Session> => {
        const session = await engine.load(...args);
        return {
          name: session.name,
          inputs: session.inputs,
          outputs: session.outputs,
          run: async (feeds, options) => fault(await session.run(feeds, options), session.name, options?.signal),
          runKeeping: (...kept) => session.runKeeping(...kept),
          release: () => session.release(),
        };
      };
    },
  });

/** Examines the CPU, and a device with a fault. Returns the report of the latter. */
async function reportOf(fault: Fault, limit = 60) {
  const sound: Fault = async (results) => results;
  const start = async (device: Device) => faulty(device, device === "cpu" ? sound : fault);
  const reports = await examineDevices(["webgpu", "cpu"], { start, limit });
  expect(reports.map(({ device, state }) => `${device} ${state}`)[0]).toBe("cpu works");
  return reports[1];
}

/** A limit in seconds. */
const LIMIT = 15;

/** Ends a time limit of LIMIT seconds without waiting for it. Any other one takes its time. */
let timeIsUp: () => void;
const timeout = AbortSignal.timeout.bind(AbortSignal);
beforeAll(() => {
  vi.spyOn(AbortSignal, "timeout").mockImplementation((milliseconds) => {
    if (milliseconds !== LIMIT * 1000) return timeout(milliseconds);
    const limit = new AbortController();
    timeIsUp = () => limit.abort();
    return limit.signal;
  });
});
beforeEach(() => {
  timeIsUp = () => {
    throw new Error(`no limit of ${LIMIT} s was set`);
  };
});

/** Work that ends only if it is cancelled. */
const never = (signal?: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new CancelledError())));

/** Work that takes longer than LIMIT seconds. */
const tooLong = (signal?: AbortSignal): Promise<never> => {
  const work = never(signal);
  timeIsUp();
  return work;
};

test("a device that computes as the CPU does works, in 16 bits too, and its speed is told beside the CPU's", async () => {
  const report = await reportOf(async (results) => results);
  expect(report).toMatchObject({ state: "works", half: { outcome: "inexact" } });
  // What it says depends on the speed of this machine.
  expect(report.precision?.because).toMatch(/^(float16 takes|too slow)/);
  expect(report.checks.map(({ outcome }) => outcome)).toEqual(Array(5).fill("right"));
  expect(report.speed?.timesCpu).toBeGreaterThan(0.01);
});

test("a device whose attention is wrong is told, with the size of the error", async () => {
  const report = await reportOf(async (results, program) => {
    if (program === "attention") results.gradient.data[7] += 0.1;
    return results;
  });
  expect(report.state).toBe("wrong");
  expect(report.reason).toMatch(/^attention: its results differ from the CPU's by /);
  expect(report.advice).toContain("Do not use this device");
});

test("a device that gives NaN is wrong", async () => {
  const report = await reportOf(async (results, program) => {
    if (program === "convolution") results.y.data[0] = Number.NaN;
    return results;
  });
  expect(report).toMatchObject({ state: "wrong", reason: "convolution: its results contain NaN" });
});

test("errors of 10-bit mantissas count as inexact, not as wrong", async () => {
  const report = await reportOf(async (results) => {
    for (const { data } of Object.values(results))
      data.forEach((value, i) => {
        data[i] = value * (1 + 1e-3);
      });
    return results;
  });
  expect(report.state).toBe("works");
  expect(report.checks.map(({ outcome }) => outcome)).toEqual(Array(5).fill("inexact"));
});

test("a device that hangs is given up after the limit, and none of its other programs are tried", async () => {
  const report = await reportOf(
    (results, program, signal) => (program === "arithmetic" ? tooLong(signal) : Promise.resolve(results)),
    LIMIT,
  );
  expect(report).toMatchObject({ state: "slow", reason: "arithmetic: no answer within 15 s" });
  expect(report.checks).toHaveLength(1);
  expect(report.advice).toContain("imitates a graphics card");
});

test("a device that only the timed program is too much for is too slow", async () => {
  const report = await reportOf(
    (results, program, signal) => (program.includes("U-Net") ? tooLong(signal) : Promise.resolve(results)),
    LIMIT,
  );
  expect(report).toMatchObject({ state: "slow", reason: "piece of a U-Net: no answer within 15 s" });
});

test("a program that crashes fails the device, with what native code said", async () => {
  const report = await reportOf(async (results, program) => {
    if (program !== "group normalisation") return results;
    throw new EngineError("failed", { where: program, found: "native code crashed (SIGSEGV)" });
  });
  expect(report).toMatchObject({ state: "fails", reason: "group normalisation: native code crashed (SIGSEGV)" });
  expect(report.checks).toHaveLength(5);
});

test("without 16 bits a device still works", async () => {
  const report = await reportOf(async (results, program) => {
    if (program !== "16 bits") return results;
    throw new EngineError("failed", { found: "Program Cast requires f16 but the device does not support it." });
  });
  expect(report).toMatchObject({ state: "works", half: { outcome: "failed", reason: /requires f16/ } });
});

test("devices that do not start are told: missing, failing and hanging ones", async () => {
  const start = async (device: Device, signal: AbortSignal): Promise<Engine> => {
    if (device === "coreml") throw new DeviceError("missing", { found: device, expected: "cpu" });
    if (device === "cuda") throw new DeviceError("unusable", { where: device, found: "why", advice: "Do this." });
    return device === "webgpu" ? tooLong(signal) : faulty(device, async (results) => results);
  };
  const reports = await examineDevices(["coreml", "cuda", "webgpu", "cpu"], { start, limit: LIMIT });
  expect(reports.map(({ device, state }) => `${device} ${state}`)).toEqual([
    "cpu works",
    "coreml absent",
    "cuda fails",
    "webgpu slow",
  ]);
  expect(reports[1].advice).toBe("CoreML exists on macOS only.");
  expect(reports[2]).toMatchObject({ reason: "why", advice: "Do this." });
});

test("a cancelled examination ends at once", async () => {
  const stop = new AbortController();
  const start = async (device: Device) =>
    faulty(device, (_, __, signal) => {
      const running = never(signal);
      stop.abort();
      return running;
    });
  const examined = examineDevices(["cpu"], { start, signal: stop.signal });
  await expect(examined).rejects.toThrow(CancelledError);
});

test("this machine's report fits its schema, the CPU works, and a device that does not says why and what to do", async () => {
  const report = doctorReport.parse(JSON.parse(JSON.stringify(await examineMachine({ devices: ["cuda", "coreml"] }))));
  expect(report.devices.map(({ device }) => device)).toEqual(["cpu", "cuda", "coreml"]);
  expect(report.devices[0]).toMatchObject({ state: "works" });
  for (const { state, reason, advice } of report.devices) {
    if (state === "works") continue;
    expect(reason).toBeTruthy();
    expect(advice).toBeTruthy();
  }
});
