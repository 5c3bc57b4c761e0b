import {
  DeviceError,
  EngineError,
  orCancelled,
  shown,
  type Tensor,
  throwIfCancelled,
  UsageError,
  type Work,
} from "../../core/index.ts";
import type { Cache } from "../../storage/index.ts";
import { DiskCache } from "../../storage/node/index.ts";
import type { WeightSet } from "../../weights/index.ts";
import {
  type Device,
  devices,
  type Engine,
  type EngineOptions,
  type LoadableProgram,
  type LoadOptions,
  type Resident,
} from "../engine.ts";
import type { MappedWeights } from "../mappedWeights.ts";
import { probeDevice } from "../probe.ts";
import { EngineProcess } from "./childProcess.ts";
import type { Host } from "./host.ts";
import { mostThreads, physicalCores } from "./machine.ts";
import { mapWeights } from "./mapWeights.ts";
import { checkMemory } from "./memory.ts";
import { NodeResident, readResidents } from "./resident.ts";
import { bytesOf, NodeSession } from "./session.ts";

export interface NodeEngineOptions extends EngineOptions {
  /** Keeps expanded weights and optimised programs. Default: the user's cache folder. */
  cache?: Cache;
}

class NodeEngine implements Engine, Host {
  readonly device: Device;
  readonly threads: number;
  readonly versions: Readonly<Record<"onnxruntime", string>>;
  readonly cache: Cache;
  private child: EngineProcess | undefined;
  private starting: Promise<EngineProcess> | undefined;
  private closed = false;
  /** Settles when all calls so far are done. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    { device, threads, cache }: Required<Omit<NodeEngineOptions, "signal">>,
    child: EngineProcess,
    onnxruntime: string,
  ) {
    this.cache = cache;
    this.device = device;
    this.threads = threads;
    this.versions = { onnxruntime };
    this.child = child;
  }

  get pid(): number | undefined {
    return this.child?.isEnding ? undefined : this.child?.pid;
  }

  load(program: LoadableProgram, options: LoadOptions = {}): Promise<NodeSession> {
    return NodeSession.load(this, program, options);
  }

  mapWeights(weights: WeightSet, work: Work = {}): Promise<MappedWeights> {
    return mapWeights(weights, { ...work, cache: this.cache });
  }

  put(tensors: readonly Tensor[], signal?: AbortSignal): Promise<NodeResident[]> {
    return this.exclusive("moving tensors into the engine", signal, async (child) => {
      const made = tensors.map(({ shape }) => new NodeResident(this, child, shape));
      const heads = made.map(({ id, shape }) => ({ name: "", dtype: "float32" as const, shape, resident: id }));
      await child.request({ kind: "put", tensors: heads }, tensors.map(bytesOf));
      return made;
    });
  }

  read(residents: readonly Resident[], signal?: AbortSignal): Promise<Tensor[]> {
    return readResidents(this, residents as readonly NodeResident[], signal);
  }

  checkMemory(estimate: number, what: string): void {
    if (this.device === "cpu") checkMemory(estimate, what);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.starting?.catch(() => undefined);
    await this.child?.end();
  }

  async exclusive<T>(
    what: string,
    signal: AbortSignal | undefined,
    work: (child: EngineProcess) => Promise<T>,
  ): Promise<T> {
    const before = this.last;
    let leave = (): void => undefined;
    const mine = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.last = before.then(() => mine);
    let working: EngineProcess | undefined;
    try {
      await orCancelled(before, signal, what);
      working = await orCancelled(this.running(), signal, what);
      return await orCancelled(work(working), signal, what);
    } catch (error) {
      if (signal?.aborted) working?.kill();
      throw error;
    } finally {
      leave();
    }
  }

  /** The child process, or a new one if it has ended. */
  private async running(): Promise<EngineProcess> {
    if (this.closed) throw new EngineError("the engine is closed");
    if (this.child && !this.child.isEnding) return this.child;
    // A call may be cancelled while it waits for this. The next one waits for the same process.
    this.starting ??= this.restart().finally(() => {
      this.starting = undefined;
    });
    return this.starting;
  }

  private async restart(): Promise<EngineProcess> {
    // The memory of the old process must be free first.
    await this.child?.end();
    const { child } = await EngineProcess.start();
    this.child = child;
    return child;
  }
}

/**
 * Starts an engine on `device`. Throws UsageError if the device or the number of threads is not allowed, DeviceError with
 * the reason if this machine or this build of onnxruntime does not have the device.
 */
export async function startEngine({
  device = "cpu",
  threads = physicalCores(),
  cache = new DiskCache(),
  signal,
}: NodeEngineOptions = {}): Promise<Engine> {
  if (!devices.includes(device)) throw new UsageError("device", { found: shown(device), expected: devices.join(", ") });
  if (!Number.isInteger(threads) || threads < 1 || threads > mostThreads()) {
    throw new UsageError("threads", { found: shown(threads), expected: `a whole number from 1 to ${mostThreads()}` });
  }
  const what = "starting the engine";
  throwIfCancelled(signal, what);
  const starting = EngineProcess.start();
  try {
    const { child, ready } = await orCancelled(starting, signal, what);
    if (!ready.devices.includes(device)) {
      throw new DeviceError("this build of onnxruntime does not have the device", {
        found: device,
        expected: devices.filter((name) => ready.devices.includes(name)).join(", "),
      });
    }
    const engine = new NodeEngine({ device, threads, cache }, child, ready.onnxruntime);
    if (device !== "cpu") await probeDevice(engine, signal);
    return engine;
  } catch (error) {
    // This includes a process that is still starting, which nothing would end later.
    starting.then(({ child }) => child.kill()).catch(() => undefined);
    throw error;
  }
}
