import { EngineError, orCancelled, type Tensor, type Work } from "../core/index.ts";
import type { WeightSet } from "../weights/index.ts";
import {
  type Device,
  type Engine,
  type InPlaceAdam,
  type LoadableProgram,
  type LoadOptions,
  type Resident,
  type Traffic,
  updatesInPlace,
} from "./engine.ts";
import type { Host, Loading } from "./host.ts";
import type { MappedWeights } from "./mappedWeights.ts";
import type { Answer, Reply, Request } from "./messages.ts";
import { type Asked, type EngineProcess, requestDone } from "./process.ts";
import { type EngineResident, inPlaceAdam, putTensors, readResidents } from "./resident.ts";
import { EngineSession } from "./session.ts";

/** The parts of a platform that an engine needs: a child process and files, or a Worker and memory. */
export interface Platform {
  /** Starts another process. Throws EngineError if that fails. */
  startProcess(): Promise<EngineProcess>;
  loading(program: LoadableProgram, options: Omit<LoadOptions, "signal">): Loading;
  mapWeights(weights: WeightSet, work: Work): Promise<MappedWeights>;
  /** See Engine.checkMemory. */
  checkMemory(estimate: number, what: string): void;
}

/** Facts about an engine whose process has started. */
export type EngineFacts = Partial<Pick<Engine, "linear">> &
  Pick<Engine, "device" | "threads" | "precision" | "warnings" | "largestBuffer" | "versions">;

/** An engine over a process that computes. It replaces a process that has ended. */
export class HostedEngine implements Engine, Host {
  readonly device: Device;
  readonly threads: number;
  readonly precision: Engine["precision"];
  readonly linear: Engine["linear"];
  readonly warnings: Engine["warnings"];
  readonly largestBuffer: number | undefined;
  readonly versions: Engine["versions"];
  readonly adam: InPlaceAdam | undefined;
  readonly traffic: { -readonly [K in keyof Traffic]: Traffic[K] } = { toEngine: 0, fromEngine: 0 };
  private readonly platform: Platform;
  private process: EngineProcess | undefined;
  private starting: Promise<EngineProcess> | undefined;
  private closed = false;
  /** Settles when all calls so far are done. */
  private last: Promise<unknown> = Promise.resolve();

  /** process: the first one, which has started. */
  constructor(
    { device, threads, precision, linear = "float32", warnings, largestBuffer, versions }: EngineFacts,
    platform: Platform,
    process: EngineProcess,
  ) {
    this.device = device;
    this.threads = threads;
    this.precision = precision;
    this.linear = linear;
    this.warnings = warnings;
    this.largestBuffer = largestBuffer;
    const own = [
      ...(precision === "float32" ? [] : [precision]),
      ...(linear === "float32" ? [] : [`linear layers in ${linear}`]),
    ];
    this.versions = { onnxruntime: [versions.onnxruntime, ...own].join(", ") };
    this.adam = updatesInPlace(device) ? inPlaceAdam(this) : undefined;
    this.platform = platform;
    this.process = process;
  }

  get pid(): number | undefined {
    return this.process?.isEnding ? undefined : this.process?.pid;
  }

  load(program: LoadableProgram, { signal, ...options }: LoadOptions = {}): Promise<EngineSession> {
    return EngineSession.load(this, program, this.platform.loading(program, options), signal);
  }

  mapWeights(weights: WeightSet, work: Work = {}): Promise<MappedWeights> {
    return this.platform.mapWeights(weights, work);
  }

  put(tensors: readonly Tensor[], signal?: AbortSignal): Promise<EngineResident[]> {
    return putTensors(this, tensors, { signal });
  }

  read(residents: readonly Resident[], signal?: AbortSignal): Promise<Tensor[]> {
    return readResidents(this, residents as readonly EngineResident[], signal);
  }

  checkMemory(estimate: number, what: string): void {
    this.platform.checkMemory(estimate, what);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.starting?.catch(() => undefined);
    await this.process?.end();
  }

  async exclusive<T>(
    what: string,
    signal: AbortSignal | undefined,
    work: (process: EngineProcess) => Promise<T>,
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

  async move(
    process: EngineProcess,
    asked: Omit<Asked, "device">,
    request: Request,
    arrays: readonly Uint8Array[] = [],
  ): Promise<Answer<Reply & { kind: "done" }>> {
    const answer = await requestDone(process, { ...asked, device: this.device }, request, arrays);
    for (const { byteLength } of arrays) this.traffic.toEngine += byteLength;
    for (const { byteLength } of answer.arrays) this.traffic.fromEngine += byteLength;
    return answer;
  }

  /** The process, or a new one if it has ended. */
  private async running(): Promise<EngineProcess> {
    if (this.closed) throw new EngineError("the engine is closed");
    if (this.process && !this.process.isEnding) return this.process;
    // A call may be cancelled while it waits for this. The next one waits for the same process.
    this.starting ??= this.restart().finally(() => {
      this.starting = undefined;
    });
    return this.starting;
  }

  private async restart(): Promise<EngineProcess> {
    // The memory of the old process must be free first.
    await this.process?.end();
    this.process = await this.platform.startProcess();
    return this.process;
  }
}
