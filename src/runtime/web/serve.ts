import type * as Onnxruntime from "onnxruntime-web/wasm";
import { adamInPlace, inOneMemory } from "../adamInPlace.ts";
import { LAYOUT } from "../layout.ts";
import type { ArrayHead, Reply, Request } from "../messages.ts";
import { deviceLost } from "../reasons.ts";
import { bytesOfWeight, bytesWhenAsked } from "./fileWeights.ts";
import { type Gpu, openGpu } from "./gpu.ts";
import type { WorkerAnswer, WorkerLoad, WorkerNews, WorkerRequest, WorkerSettings } from "./messages.ts";

/** Longest time between an error of a lost device and the news of its loss. */
const LOSS_MS = 100;

type Ort = typeof Onnxruntime;
type Tensor = Onnxruntime.Tensor;
type Arrays = readonly Uint8Array<ArrayBuffer>[];

/** The scope of a Worker, as far as it is used here. The library of a page's types lacks it. */
const scope = globalThis as unknown as {
  readonly name: string;
  onmessage: ((event: MessageEvent<WorkerSettings | WorkerRequest>) => void) | null;
  postMessage(message: WorkerAnswer | WorkerNews, transfer?: Transferable[]): void;
};

/**
 * True in a thread of onnxruntime-web. If a bundler put it and the Worker's program into one file, its threads run that file
 * too, under this name.
 */
export const isThreadOfOnnxruntime = (): boolean => scope.name.startsWith("em-pthread");

/** Errors after which WebAssembly's memory is in no known state, or of a module that never started. */
const fatal = /^Aborted|no available backend found|initializeWebAssembly|memory access out of bounds|unreachable/;

/** Returns the message of anything that onnxruntime-web throws. */
function messageOf(error: unknown): { message: string; broken: boolean } {
  // A C++ exception that nothing caught arrives as its address. Memory that ran out is the one that was seen.
  if (typeof error === "number") {
    return { message: "native code threw an exception, probably because memory ran out: bad alloc", broken: true };
  }
  const message = error instanceof Error ? error.message : String(error);
  const broken = fatal.test(message) || error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
  return { message, broken };
}

/** Keeps what onnxruntime-web writes to the console, so that it can be part of an error. Returns a function that takes it. */
function collectLog(): () => string {
  let lines: string[] = [];
  const keep = (...words: unknown[]): void => {
    lines = [...lines, words.join(" ")].slice(-20);
  };
  console.warn = keep;
  console.error = keep;
  return () => {
    const text = lines.join("\n");
    lines = [];
    return text;
  };
}

/** Reads requests and answers them one by one, with onnxruntime-web. */
export function serve(ort: Ort): void {
  const takeLog = collectLog();
  let worker: OnnxWorker | undefined;
  const send = (reply: Reply, arrays: Arrays = [], broken = false): void =>
    scope.postMessage(
      { reply, arrays: [...arrays], log: takeLog(), broken },
      arrays.map(({ buffer }) => buffer),
    );
  let lost: string | undefined;
  const fail = async (error: unknown): Promise<void> => {
    // A call that fails because the device is lost may fail before the loss is known.
    if (worker?.gpu) await Promise.race([worker.gpu.lost, new Promise((resolve) => setTimeout(resolve, LOSS_MS))]);
    const { message, broken } = messageOf(error);
    if (lost === undefined) send({ kind: "failed", message }, [], broken);
  };
  /** Answers the call that runs, if there is one: it may never end. The page then ends this Worker. */
  const tellLoss = (reason: string): void => {
    lost = reason;
    send({ kind: "failed", message: `${deviceLost}: ${reason}` }, [], true);
  };
  const start = async (settings: WorkerSettings): Promise<void> => {
    worker = await OnnxWorker.start(ort, settings);
    void worker.gpu?.lost.then(tellLoss);
    await holdLock(settings.lock);
    const onnxruntime = `${ort.env.versions.web} wasm`;
    const largestBuffer = worker.gpu?.device.limits.maxStorageBufferBindingSize;
    send({ kind: "ready", onnxruntime, devices: [settings.device], largestBuffer });
  };
  const answer = async ({ request, arrays }: WorkerRequest): Promise<void> => {
    const { outputs, results } = await worker!.answer(request, arrays as Arrays);
    send({ kind: "done", outputs }, results);
  };
  scope.onmessage = ({ data }) => void ("request" in data ? answer(data) : start(data)).catch(fail);
}

/** Resolves when this Worker has the lock, which it keeps until it ends. A page without locks cannot notice that end. */
const holdLock = (name: string): Promise<void> =>
  new Promise((resolve) => {
    if (!navigator.locks) return resolve();
    void navigator.locks.request(name, () => {
      resolve();
      return new Promise(() => undefined);
    });
  });

interface Done {
  readonly outputs: ArrayHead[];
  readonly results: Arrays;
}

const nothing: Done = { outputs: [], results: [] };

/** Sessions and resident tensors of a Worker. */
class OnnxWorker {
  readonly gpu: Gpu | undefined;
  private readonly ort: Ort;
  private readonly sessions = new Map<number, Onnxruntime.InferenceSession>();
  private readonly residents = new Map<number, Tensor>();

  private constructor(ort: Ort, gpu: Gpu | undefined) {
    this.ort = ort;
    this.gpu = gpu;
  }

  static async start(ort: Ort, { device, threads, wasmPaths, software }: WorkerSettings): Promise<OnnxWorker> {
    ort.env.logLevel = "warning";
    ort.env.wasm.numThreads = threads;
    if (wasmPaths) ort.env.wasm.wasmPaths = wasmPaths;
    if (device === "cpu") return new OnnxWorker(ort, undefined);
    const gpu = await openGpu(software);
    ort.env.webgpu.adapter = gpu.adapter;
    return new OnnxWorker(ort, gpu);
  }

  async answer(request: Request<WorkerLoad>, arrays: Arrays): Promise<Done> {
    for (const resident of request.drop ?? []) {
      this.residents.get(resident)?.dispose();
      this.residents.delete(resident);
    }
    if (request.kind === "run") return this.run(request, arrays);
    if (request.kind === "read") {
      return this.moved(request.residents.map((id) => ({ name: "", value: this.residents.get(id)! })));
    }
    if (request.kind === "put") {
      const placed = request.together ? inOneMemory(arrays.map(numbersOf)).map(bytesOf) : arrays;
      for (const [i, head] of request.tensors.entries()) this.residents.set(head.resident, this.put(head, placed[i]));
    } else if (request.kind === "adam") {
      adamInPlace(request, (resident) => this.residents.get(resident)!.data as Float32Array);
    } else if (request.kind === "load") {
      await this.load(request.session, request.load, arrays);
    } else {
      await this.sessions.get(request.session)?.release();
      this.sessions.delete(request.session);
    }
    return nothing;
  }

  /**
   * Weights are read only while the session is created: onnxruntime copies each into WebAssembly's memory or into a buffer of
   * the device, also if two programs share it. So nothing of them stays in this Worker's own memory.
   */
  private async load(session: number, load: WorkerLoad, [model, ...weights]: Arrays): Promise<void> {
    let unreadable: unknown;
    const keep = (error: unknown): void => {
      unreadable ??= error;
    };
    const total = load.inFiles.reduce((sum, [, weight]) => sum + bytesOfWeight(weight), 0);
    let done = 0;
    const tell = (bytes: number): void => {
      done += bytes;
      scope.postMessage({ progress: { phase: "read weights", done, total, unit: "bytes" } });
    };
    const inFiles = load.inFiles.map(([path, weight]) => ({ path, data: bytesWhenAsked(weight, keep, tell) }));
    const externalData = [...load.inMemory.map((path, i) => ({ path, data: weights[i] })), ...inFiles];
    try {
      await this.create(session, load.options, model, externalData);
    } catch (error) {
      if (unreadable === undefined) throw error;
      throw new Error(`the model's file cannot be read any more: ${(unreadable as Error).message}`);
    }
  }

  private async create(
    session: number,
    options: WorkerLoad["options"],
    model: Uint8Array,
    externalData: WorkerLoad["options"]["externalData"],
  ): Promise<void> {
    const { gpu } = this;
    const created = await this.ort.InferenceSession.create(model, {
      ...options,
      externalData,
      // Outputs that are not kept are moved to this Worker after the run.
      ...(gpu && {
        executionProviders: [{ name: "webgpu", device: gpu.device, preferredLayout: LAYOUT }],
        preferredOutputLocation: "gpu-buffer",
      }),
    });
    this.sessions.set(session, created);
  }

  private async run(request: Request<WorkerLoad> & { kind: "run" }, arrays: Arrays): Promise<Done> {
    const { feeds, outputs, keep, session } = request;
    const given = arrays.values();
    const inputs = feeds.map((head) => [
      head.name,
      "resident" in head ? this.residents.get(head.resident)! : this.tensorOf(head, given.next().value!),
    ]);
    const wanted = [...outputs, ...keep.map(({ name }) => name)];
    const results = await this.sessions.get(session)!.run(Object.fromEntries(inputs), wanted);
    const kept = new Set(keep.map(({ name }) => name));
    for (const { name, resident } of keep) this.residents.set(resident, results[name]);
    const back = outputs.map((name) => ({ name, value: results[name] }));
    return this.moved(back, (name) => !kept.has(name));
  }

  private tensorOf({ dtype, shape }: ArrayHead, { buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Tensor {
    const { Tensor } = this.ort;
    return dtype === "int64"
      ? new Tensor("int64", new BigInt64Array(buffer, byteOffset, byteLength / 8), shape)
      : new Tensor("float32", new Float32Array(buffer, byteOffset, byteLength / 4), shape);
  }

  /** A tensor where the device computes. */
  private put(head: ArrayHead, bytes: Uint8Array<ArrayBuffer>): Tensor {
    if (!this.gpu) return this.tensorOf(head, bytes);
    const gpuBuffer = this.gpu.upload(bytes);
    return this.ort.Tensor.fromGpuBuffer(gpuBuffer, {
      dataType: "float32",
      dims: head.shape,
      dispose: () => gpuBuffer.destroy(),
    });
  }

  /** Moves tensors into arrays of their own. isLast: true for a tensor that is not used again. */
  private async moved(
    found: readonly { name: string; value: Tensor }[],
    isLast: (name: string) => boolean = () => false,
  ): Promise<Done> {
    const results: Uint8Array<ArrayBuffer>[] = [];
    for (const { name, value } of found) {
      results.push(isLast(name) ? bytesOf(await value.getData(true)) : await this.copyOf(value));
    }
    return { outputs: found.map(({ name, value }) => ({ name, dtype: "float32", shape: value.dims })), results };
  }

  /** The bytes of a tensor that stays where it is. `getData` of onnxruntime would move it off the device. */
  private async copyOf(value: Tensor): Promise<Uint8Array<ArrayBuffer>> {
    if (value.location !== "gpu-buffer") return bytesOf(value.data).slice();
    return new Uint8Array(await this.gpu!.download(value.gpuBuffer as GPUBuffer, 4 * value.size));
  }
}

const numbersOf = ({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Float32Array =>
  new Float32Array(buffer, byteOffset, byteLength / 4);

const bytesOf = (data: Tensor["data"]): Uint8Array<ArrayBuffer> => {
  const { buffer, byteOffset, byteLength } = data as Float32Array<ArrayBuffer>;
  return new Uint8Array(buffer, byteOffset, byteLength);
};
