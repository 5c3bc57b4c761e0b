import {
  BaretError,
  DeviceError,
  EngineError,
  joinSignals,
  orCancelled,
  shown,
  throwIfCancelled,
  UsageError,
} from "../../core/index.ts";
import { inPrecision, type PrecisionFacts } from "../choosePrecision.ts";
import { type Engine, type EngineOptions, requirePrecision } from "../engine.ts";
import { HostedEngine, type Platform } from "../hostedEngine.ts";
import { probeDevice } from "../probe.ts";
import { requireMemory } from "../requireMemory.ts";
import { MemoryLoading } from "./loading.ts";
import { mapWeights } from "./mapWeights.ts";
import type { WasmPaths } from "./messages.ts";
import { WorkerProcess } from "./workerProcess.ts";

/** Devices of a browser. */
export const webDevices = ["cpu", "webgpu"] as const;

export interface WebEngineOptions extends Omit<EngineOptions, "linear"> {
  /** "cpu" computes with WebAssembly, "webgpu" with the graphics card. There is no fallback to the other one. Default "cpu". */
  device?: (typeof webDevices)[number];
  /** Threads of WebAssembly. More than 1 needs a page that is cross-origin isolated. Default: `defaultThreads()`. */
  threads?: number;
  /** The Worker's program. Default: what the bundler makes of the package's own. */
  workerUrl?: string | URL;
  /** Where onnxruntime-web's files are. Default: what the bundler makes of its own. */
  wasmPaths?: WasmPaths;
  /**
   * Bytes that the weights of a network may take in memory, as float32. A network with more is read from its files whenever one
   * of its programs is loaded, weight by weight, if it was opened from a File or a folder's handle. Default 100e6.
   */
  weightsInMemory?: number;
  /** True allows an adapter of WebGPU that is a program on the CPU, for tests. Default false. */
  software?: boolean;
}

/** More threads gain little for the layers of a small model, and a page should leave some to others. */
const MOST_DEFAULT_THREADS = 8;
/** WebAssembly's own limit for the number of threads is far away; this one catches mistakes. */
const MOST_THREADS = 64;
/** Most bytes of memory of device "cpu": addresses of WebAssembly have 32 bits. */
export const WASM_BYTES = 2 ** 32;
/** Default of `weightsInMemory`. */
const WEIGHTS_IN_MEMORY = 100e6;
/** Longest time for adding two numbers. A program on the CPU that pretends to be a graphics card takes seconds. */
const PROBE_MS = 30_000;

/**
 * Threads of WebAssembly unless others are asked for: 1 if the page is not cross-origin isolated. Otherwise all processors up
 * to 4, and half of them beyond, up to 8, since two of them usually share a core.
 */
export function defaultThreads(): number {
  if (!globalThis.crossOriginIsolated) return 1;
  const processors = navigator.hardwareConcurrency || 1;
  return Math.min(MOST_DEFAULT_THREADS, Math.max(Math.min(4, processors), Math.floor(processors / 2)));
}

function checkOptions(device: string, threads: number): void {
  if (!webDevices.some((name) => name === device)) {
    throw new UsageError("device", { found: shown(device), expected: webDevices.join(", ") });
  }
  const most = globalThis.crossOriginIsolated ? MOST_THREADS : 1;
  if (Number.isInteger(threads) && threads >= 1 && threads <= most) return;
  throw new UsageError("threads", {
    found: shown(threads),
    expected: most === 1 ? "1" : `a whole number from 1 to ${most}`,
    advice:
      most === 1
        ? "For more, serve the page with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp."
        : undefined,
  });
}

/** The Worker of a device. Bundlers understand exactly this form. */
const createWorker = {
  cpu: () => new Worker(new URL("./wasmWorker.js", import.meta.url), { type: "module" }),
  webgpu: () => new Worker(new URL("./webgpuWorker.js", import.meta.url), { type: "module" }),
};

/**
 * Starts an engine in a module Worker and computes something small on it. Throws UsageError if the device, the precision or the
 * number of threads is not allowed, DeviceError with the reason if this browser does not have the device, or the device no
 * float16, EngineError if the files of
 * onnxruntime-web cannot be loaded, CancelledError.
 */
export async function startEngine(options: WebEngineOptions = {}): Promise<Engine> {
  const { device = "cpu", precision = "auto", workerUrl, wasmPaths, software = false, signal } = options;
  const { weightsInMemory: mostInMemory = WEIGHTS_IN_MEMORY } = options;
  const threads = options.threads ?? (device === "cpu" ? defaultThreads() : 1);
  checkOptions(device, threads);
  requirePrecision(precision);
  const what = "starting the engine";
  throwIfCancelled(signal, what);
  const create = workerUrl === undefined ? createWorker[device] : () => new Worker(workerUrl, { type: "module" });
  const start = async () => {
    const { process, reply } = await WorkerProcess.start(create, { device, threads, wasmPaths, software });
    if (reply.kind === "ready") return { process, ready: reply };
    const found = reply.kind === "failed" ? reply.message : reply.kind;
    throw new DeviceError("the device cannot be used here", { where: device, found, advice: "Use the device cpu." });
  };
  const starting = start();
  let engine: HostedEngine | undefined;
  try {
    const { process, ready } = await orCancelled(starting, signal, what);
    const { onnxruntime, largestBuffer } = ready;
    const make = (own: PrecisionFacts): HostedEngine => {
      const platform: Platform = {
        startProcess: async () => (await start()).process,
        loading: (program, load) => new MemoryLoading(program, load, device),
        mapWeights: (weights, work) => mapWeights(weights, { ...work, precision: own.precision, mostInMemory }),
        checkMemory: (estimate, of) => {
          const advice = "Use a smaller picture, fewer rows at once or a smaller model: WebAssembly has 4 GB.";
          if (device === "cpu") requireMemory(estimate, of, WASM_BYTES, advice);
        },
      };
      engine = new HostedEngine(
        { device, threads, ...own, largestBuffer, versions: { onnxruntime } },
        platform,
        process,
      );
      return engine;
    };
    await probe(make({ precision: "float32" }), signal);
    return await inPrecision(precision, device, make, signal);
  } catch (error) {
    await engine?.close();
    // This includes a Worker that is still starting, which nothing would end later.
    starting.then(({ process }) => process.kill()).catch(() => undefined);
    throw error;
  }
}

/** Computes something for the first time, which also loads WebAssembly. */
async function probe(engine: Engine, signal: AbortSignal | undefined): Promise<void> {
  const limit = AbortSignal.timeout(PROBE_MS);
  const limited = joinSignals(signal, limit);
  try {
    await probeDevice(engine, limited.signal);
  } catch (cause) {
    if (!(cause instanceof BaretError)) throw cause;
    if (limit.aborted && !signal?.aborted) {
      const found = `more than ${PROBE_MS / 1000} s`;
      throw new DeviceError("the device is too slow", {
        where: engine.device,
        found,
        advice: "Use another device.",
        cause,
      });
    }
    // Nothing is wrong with a CPU: the files were not found.
    if (engine.device !== "cpu" || cause.code !== "device") throw cause;
    const advice = "See that the server has onnxruntime-web's .wasm file, or give its place as wasmPaths.";
    throw new EngineError("WebAssembly cannot be loaded", { found: cause.details.found, advice, cause });
  } finally {
    limited.release();
  }
}
