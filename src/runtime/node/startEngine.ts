import { DeviceError, orCancelled, shown, throwIfCancelled, UsageError } from "../../core/index.ts";
import type { Cache } from "../../storage/index.ts";
import { DiskCache } from "../../storage/node/index.ts";
import { inPrecision, type PrecisionFacts } from "../choosePrecision.ts";
import { missingDeviceAdvice } from "../deviceAdvice.ts";
import { devices, type Engine, type EngineOptions, requireLinear, requirePrecision } from "../engine.ts";
import { HostedEngine, type Platform } from "../hostedEngine.ts";
import { probeDevice, probeInt8 } from "../probe.ts";
import { ChildEngineProcess } from "./childProcess.ts";
import { FileLoading } from "./loading.ts";
import { mostThreads, physicalCores } from "./machine.ts";
import { mapWeights } from "./mapWeights.ts";
import { checkMemory } from "./memory.ts";

export interface NodeEngineOptions extends EngineOptions {
  /** Keeps expanded weights and optimised programs. Default: the user's cache folder. */
  cache?: Cache;
}

/**
 * Starts an engine on `device`. Throws UsageError if the device, the precision or the number of threads is not allowed,
 * DeviceError with the reason if this machine or this build of onnxruntime does not have the device, or the device no float16.
 */
export async function startEngine({
  device = "cpu",
  threads = physicalCores(),
  precision = "auto",
  linear = "float32",
  cache = new DiskCache(),
  signal,
}: NodeEngineOptions = {}): Promise<Engine> {
  if (!devices.includes(device)) throw new UsageError("device", { found: shown(device), expected: devices.join(", ") });
  if (!Number.isInteger(threads) || threads < 1 || threads > mostThreads()) {
    throw new UsageError("threads", { found: shown(threads), expected: `a whole number from 1 to ${mostThreads()}` });
  }
  requirePrecision(precision);
  requireLinear(linear, { device, precision });
  const what = "starting the engine";
  throwIfCancelled(signal, what);
  const starting = ChildEngineProcess.start(device);
  try {
    const { child, ready } = await orCancelled(starting, signal, what);
    if (!ready.devices.includes(device)) {
      const others = devices.filter((name) => ready.devices.includes(name));
      throw new DeviceError("this build of onnxruntime does not have the device", {
        found: device,
        expected: others.join(", "),
        advice: missingDeviceAdvice(device, others),
      });
    }
    const make = (own: PrecisionFacts): HostedEngine => {
      const facts = { device, threads, linear, ...own, versions: { onnxruntime: ready.onnxruntime } };
      const platform: Platform = {
        startProcess: async () => (await ChildEngineProcess.start(device)).child,
        loading: (program, options) => new FileLoading(program, options, { ...facts, cache }),
        mapWeights: (weights, work) => mapWeights(weights, { ...work, cache, precision: facts.precision }),
        checkMemory: device === "cpu" ? checkMemory : () => undefined,
      };
      return new HostedEngine(facts, platform, child);
    };
    if (device !== "cpu") await probeDevice(make({ precision: "float32" }), signal);
    const engine = await inPrecision(precision, device, make, signal);
    if (linear === "int8") await probeInt8(engine, signal);
    return engine;
  } catch (error) {
    // This includes a process that is still starting, which nothing would end later.
    starting.then(({ child }) => child.kill()).catch(() => undefined);
    throw error;
  }
}
