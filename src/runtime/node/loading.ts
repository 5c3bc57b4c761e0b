import { cpus } from "node:os";
import { join, resolve } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { sha256 } from "../../core/index.ts";
import type { Cache, CacheEntry, CacheKey } from "../../storage/index.ts";
import { fileIdentity, requireFolder } from "../../storage/node/index.ts";
import type { Engine, LoadableProgram, LoadOptions } from "../engine.ts";
import type { Loading } from "../host.ts";
import { LAYOUT } from "../layout.ts";
import type { Request } from "../messages.ts";
import { type EngineProcess, requestDone } from "../process.ts";
import { ON_DEVICE } from "./onDevice.ts";
import { type PlacedModel, pathOf, placeWeights } from "./weightFiles.ts";

/** A program for the child process to load. The model is at `path`, or it is the message's only array. */
export interface ChildLoad {
  path?: string;
  options: InferenceSession.SessionOptions;
}

/** The engine's own settings. */
export interface LoadSettings extends Pick<Engine, "device" | "threads" | "versions"> {
  readonly cache: Cache;
}

const savedModel = "model.onnx";
const savedWeights = "weights.bin";

/** Loads a program whose weights are mapped from files, or its saved form from the cache. */
export class FileLoading implements Loading {
  private readonly program: LoadableProgram;
  private readonly options: LoadOptions;
  private readonly settings: LoadSettings;
  private saved: CacheEntry | undefined;
  private released = false;

  constructor(program: LoadableProgram, options: LoadOptions, settings: LoadSettings) {
    this.program = program;
    this.options = options;
    this.settings = settings;
  }

  async into(child: EngineProcess, session: number): Promise<void> {
    const placed = await placeWeights(this.program);
    const { save = false, level = "basic", prepack = false } = this.options;
    if (!save) {
      await this.create(child, session, placed.model, this.sessionOptions({ level, prepack, folder: placed.folder }));
      return;
    }
    this.saved ??= await this.settings.cache.acquire(await this.savedKey(), (folder) =>
      this.save(child, session, placed, folder),
    );
    // Cancelled meanwhile: nothing would release it later.
    if (this.released) await this.saved.release();
    const options = this.sessionOptions({ level: "disabled", prepack, folder: this.saved.folder });
    await this.create(child, session, join(this.saved.folder, savedModel), options);
  }

  async release(): Promise<void> {
    this.released = true;
    await this.saved?.release();
  }

  /** The cache key: everything on which the optimised form of the program depends. */
  private async savedKey(): Promise<CacheKey> {
    const { model, sources } = this.program;
    const weights = await Promise.all(
      [...sources].map(async ([name, source]) => [name, await fileIdentity(pathOf(source))]),
    );
    const { device, versions } = this.settings;
    const machine = { cpu: cpus()[0]?.model, arch: process.arch, platform: process.platform };
    return { kind: "program", of: { model: sha256(model), weights, device, versions, machine } };
  }

  /** Optimises the program and writes it into `folder`, with its weights in the layout of the CPU's kernels. */
  private async save(child: EngineProcess, session: number, { model, folder: weights }: PlacedModel, folder: string) {
    const options = this.sessionOptions({ level: "all", prepack: false, folder: weights });
    await this.create(child, session, model, {
      ...options,
      optimizedModelFilePath: join(folder, savedModel),
      extra: {
        session: {
          ...(options.extra?.session as Record<string, string>),
          optimized_model_external_initializers_file_name: savedWeights,
        },
      },
    });
    await child.request({ kind: "release", session });
  }

  private sessionOptions({
    level,
    prepack,
    folder,
  }: Required<Pick<LoadOptions, "level" | "prepack">> & {
    folder: string | undefined;
  }): InferenceSession.SessionOptions {
    const { device, threads } = this.settings;
    const { profileInto } = this.options;
    return {
      executionProviders: [device === "webgpu" ? { name: device, preferredLayout: LAYOUT } : device],
      ...(device === "webgpu" && { preferredOutputLocation: ON_DEVICE }),
      graphOptimizationLevel: level,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableMemPattern: false,
      // The reason why a graphics card cannot be used is a warning.
      logSeverityLevel: device === "cpu" ? 3 : 2,
      ...(profileInto && {
        enableProfiling: true,
        profileFilePrefix: join(resolve(profileInto), this.program.name.replaceAll(/\W+/g, "-")),
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

  private async create(
    child: EngineProcess,
    session: number,
    model: Uint8Array | string,
    options: InferenceSession.SessionOptions,
  ): Promise<void> {
    if (this.options.profileInto) await requireFolder(this.options.profileInto);
    const [path, bytes] = typeof model === "string" ? [model, []] : [undefined, [model]];
    const request: Request<ChildLoad> = { kind: "load", session, load: { path, options } };
    const asked = { where: this.program.name, problem: "cannot be loaded", device: this.settings.device };
    await requestDone(child, asked, request, bytes);
  }
}
