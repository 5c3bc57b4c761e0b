import { cpus } from "node:os";
import { join, resolve } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import {
  DeviceError,
  EngineError,
  GraphError,
  type IntTensor,
  MemoryError,
  NumericError,
  sha256,
  type Tensor,
} from "../../core/index.ts";
import { fedShape, withBatch } from "../../graph/index.ts";
import type { CacheEntry, CacheKey } from "../../storage/index.ts";
import { fileIdentity, requireFolder } from "../../storage/node/index.ts";
import type { Feeds, LoadableProgram, LoadOptions, RunOptions, Session } from "../engine.ts";
import { batchOfFeeds, checkFeeds } from "../feeds.ts";
import type { EngineProcess } from "./childProcess.ts";
import type { Host } from "./host.ts";
import type { ArrayHead, ResidentHead } from "./messages.ts";
import { withReasons } from "./reasons.ts";
import { isResident, NodeResident } from "./resident.ts";
import { type PlacedModel, pathOf, placeWeights } from "./weightFiles.ts";

/** The bytes of a tensor as they are sent: float32, or int64 for whole numbers. */
export function bytesOf({ data }: Tensor | IntTensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = data instanceof Float32Array ? data : BigInt64Array.from(data, BigInt);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const outOfMemory = /bad[ _]alloc|failed to allocate|out of memory|not enough memory/i;
const savedModel = "model.onnx";
const savedWeights = "weights.bin";
let count = 0;

export class NodeSession implements Session {
  readonly name: string;
  readonly inputs: LoadableProgram["inputs"];
  readonly outputs: LoadableProgram["outputs"];
  private readonly id = count++;
  private readonly host: Host;
  private readonly program: LoadableProgram;
  private readonly options: LoadOptions;
  /** The process that has loaded it. Another process must load it again. */
  private loadedIn: EngineProcess | undefined;
  private saved: CacheEntry | undefined;
  private released = false;

  private constructor(host: Host, program: LoadableProgram, options: LoadOptions) {
    this.host = host;
    this.program = program;
    this.options = options;
    this.name = program.name;
    this.inputs = program.inputs;
    this.outputs = program.outputs;
  }

  static async load(host: Host, program: LoadableProgram, options: LoadOptions): Promise<NodeSession> {
    const strange = program.outputs.filter(({ dtype }) => dtype !== "float32").map(({ name }) => name);
    if (strange.length > 0) {
      throw new GraphError("an output is not float32", { where: program.name, found: strange.join(", ") });
    }
    const session = new NodeSession(host, program, options);
    try {
      await host.exclusive(`loading ${program.name}`, options.signal, (child) => session.loadInto(child));
    } catch (error) {
      await session.release();
      throw error;
    }
    return session;
  }

  async run(feeds: Feeds, { outputs, finite, signal }: RunOptions = {}): Promise<Record<string, Tensor>> {
    const all = outputs ?? this.outputs.map(({ name }) => name);
    return (await this.runKeeping(feeds, [], { outputs: all, finite, signal })).outputs;
  }

  async runKeeping(
    feeds: Feeds,
    keep: readonly string[],
    { outputs = [], finite = false, signal }: RunOptions = {},
  ): Promise<{ outputs: Record<string, Tensor>; kept: Record<string, NodeResident> }> {
    if (this.released) throw new EngineError("the program was released and cannot run", { where: this.name });
    checkFeeds(this.program, feeds);
    this.requireOutputs([...outputs, ...keep]);
    const results = await this.host.exclusive(`running ${this.name}`, signal, async (child) => {
      if (this.loadedIn !== child) await this.loadInto(child);
      return this.call(child, feeds, outputs, keep);
    });
    if (finite) this.requireFinite(results.outputs);
    return results;
  }

  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    // If the program was never loaded, or its process has ended, nothing is to be freed.
    if (this.loadedIn && !this.loadedIn.isEnding) {
      await this.host.exclusive(`releasing ${this.name}`, undefined, async (child) => {
        if (this.loadedIn === child) await child.request({ kind: "release", session: this.id });
      });
    }
    await this.saved?.release();
  }

  private requireOutputs(names: readonly string[]): void {
    const known = this.outputs.map(({ name }) => name);
    const unknown = names.filter((name) => !known.includes(name));
    if (unknown.length === 0) return;
    throw new GraphError("no such outputs", {
      where: this.name,
      found: unknown.join(", "),
      expected: `some of ${known.join(", ")}`,
    });
  }

  private async call(child: EngineProcess, feeds: Feeds, outputs: readonly string[], keep: readonly string[]) {
    const heads: (ArrayHead | ResidentHead)[] = [];
    const arrays: Uint8Array[] = [];
    for (const { name, dtype } of this.inputs) {
      const fed = feeds[name];
      if (isResident(fed)) {
        fed.requireIn(child, `${this.name}, "${name}"`);
        heads.push({ name, resident: fed.id });
      } else {
        heads.push({ name, dtype, shape: fedShape({ shape: fed.shape, dtype }) });
        arrays.push(bytesOf(fed as Tensor | IntTensor));
      }
    }
    const rows = batchOfFeeds(this.inputs, feeds);
    const kept = keep.map((name): [string, NodeResident] => {
      const { shape } = this.outputs.find((output) => output.name === name)!;
      return [name, new NodeResident(this.host, child, withBatch(shape, rows))];
    });
    const toKeep = kept.map(([name, { id }]) => ({ name, resident: id }));
    const answer = await child.request({ kind: "run", session: this.id, feeds: heads, outputs, keep: toKeep }, arrays);
    if (answer.reply.kind !== "done") throw await this.failure("failed", answer.reply, child);
    const results = answer.reply.outputs.map(({ name, shape }, i): [string, Tensor] => [
      name,
      { shape, data: new Float32Array(answer.arrays[i].buffer) },
    ]);
    return { outputs: Object.fromEntries(results), kept: Object.fromEntries(kept) };
  }

  private async loadInto(child: EngineProcess): Promise<void> {
    const placed = await placeWeights(this.program);
    const { save = false, level = "basic", prepack = false } = this.options;
    if (!save) {
      await this.create(child, placed.model, this.sessionOptions({ level, prepack, folder: placed.folder }));
    } else {
      this.saved ??= await this.host.cache.acquire(await this.savedKey(), (folder) => this.save(child, placed, folder));
      // Cancelled meanwhile: nothing would release it later.
      if (this.released) await this.saved.release();
      const options = this.sessionOptions({ level: "disabled", prepack, folder: this.saved.folder });
      await this.create(child, join(this.saved.folder, savedModel), options);
    }
    this.loadedIn = child;
  }

  /** The cache key: everything on which the optimised form of the program depends. */
  private async savedKey(): Promise<CacheKey> {
    const { model, sources } = this.program;
    const weights = await Promise.all(
      [...sources].map(async ([name, source]) => [name, await fileIdentity(pathOf(source))]),
    );
    const { device, versions } = this.host;
    const machine = { cpu: cpus()[0]?.model, arch: process.arch, platform: process.platform };
    return { kind: "program", of: { model: sha256(model), weights, device, versions, machine } };
  }

  /** Optimises the program and writes it into `folder`, with its weights in the layout of the CPU's kernels. */
  private async save(child: EngineProcess, { model, folder: weights }: PlacedModel, folder: string): Promise<void> {
    const options = this.sessionOptions({ level: "all", prepack: false, folder: weights });
    await this.create(child, model, {
      ...options,
      optimizedModelFilePath: join(folder, savedModel),
      extra: {
        session: {
          ...(options.extra?.session as Record<string, string>),
          optimized_model_external_initializers_file_name: savedWeights,
        },
      },
    });
    await child.request({ kind: "release", session: this.id });
  }

  private sessionOptions({
    level,
    prepack,
    folder,
  }: Required<Pick<LoadOptions, "level" | "prepack">> & {
    folder: string | undefined;
  }): InferenceSession.SessionOptions {
    const { device, threads } = this.host;
    const { profileInto } = this.options;
    return {
      executionProviders: [device],
      graphOptimizationLevel: level,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableMemPattern: false,
      // The reason why a graphics card cannot be used is a warning.
      logSeverityLevel: device === "cpu" ? 3 : 2,
      ...(profileInto && {
        enableProfiling: true,
        profileFilePrefix: join(resolve(profileInto), this.name.replaceAll(/\W+/g, "-")),
      }),
      extra: {
        session: {
          ...(prepack ? {} : { disable_prepacking: "1" }),
          ...(device === "cpu" ? {} : { disable_cpu_ep_fallback: "1" }),
          ...(folder && { model_external_initializers_file_folder_path: folder }),
        },
      },
    };
  }

  private async create(child: EngineProcess, model: Uint8Array | string, options: InferenceSession.SessionOptions) {
    if (this.options.profileInto) await requireFolder(this.options.profileInto);
    const [path, bytes] = typeof model === "string" ? [model, []] : [undefined, [model]];
    const { reply } = await child.request({ kind: "load", session: this.id, path, options }, bytes);
    if (reply.kind !== "done") throw await this.failure("cannot be loaded", reply, child);
  }

  private async failure(
    problem: string,
    reply: { kind: string; message?: string },
    child: EngineProcess,
  ): Promise<Error> {
    const message = (reply.message ?? reply.kind).trim();
    const isCpu = this.host.device === "cpu";
    // A device's library that cannot be loaded is named in the log alone. A CPU's log only repeats the message.
    const found = isCpu ? message : withReasons(message, await child.log());
    const where = this.name;
    if (outOfMemory.test(found)) {
      return new MemoryError(`${problem}: memory ran out`, {
        where,
        found,
        advice: "Close other programs, or use a smaller picture or fewer rows at once.",
      });
    }
    if (/fallback to CPU EP has been explicitly disabled/.test(found)) {
      return new DeviceError("the device cannot run all of the program", {
        where,
        found: this.host.device,
        advice: "Use the device cpu.",
      });
    }
    return new EngineError(problem, { where, found });
  }

  private requireFinite(results: Record<string, Tensor>): void {
    const broken = Object.entries(results)
      .map(([name, { data }]) => ({
        name,
        size: data.length,
        bad: data.reduce((n, x) => n + (Number.isFinite(x) ? 0 : 1), 0),
      }))
      .filter(({ bad }) => bad > 0)
      .map(({ name, size, bad }) => `${bad} of ${size} in "${name}"`);
    if (broken.length > 0) {
      throw new NumericError("the results contain NaN or infinity", {
        where: this.name,
        found: broken.join(", "),
        advice: "The model's weights are damaged, or overflow: try its fp32 files.",
      });
    }
  }
}
