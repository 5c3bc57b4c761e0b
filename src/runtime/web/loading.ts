import { CheckpointError, UsageError } from "../../core/index.ts";
import type { Device, LoadableProgram, LoadOptions } from "../engine.ts";
import type { Loading } from "../host.ts";
import type { Request } from "../messages.ts";
import { type EngineProcess, requestDone } from "../process.ts";
import { placeOfSource } from "./mapWeights.ts";
import type { WorkerLoad } from "./messages.ts";

/** Loads a program whose weights are in memory, or in files of the browser's. */
export class MemoryLoading implements Loading {
  private readonly program: LoadableProgram;
  private readonly options: LoadOptions;
  private readonly device: Device;

  constructor(program: LoadableProgram, options: LoadOptions, device: Device) {
    if (options.profileInto) {
      throw new UsageError("profileInto", {
        found: options.profileInto,
        expected: "nothing: a browser has no folders",
      });
    }
    this.program = program;
    this.options = options;
    this.device = device;
  }

  async into(process: EngineProcess, session: number): Promise<void> {
    const { name: where, model, sources } = this.program;
    const places = [...sources].map(([name, source]) => {
      const place = placeOfSource(source);
      if (place) return [name, place] as const;
      throw new CheckpointError("weights must be mapped by the engine that loads them", { where: source.name });
    });
    const inMemory = places.flatMap(([name, place]) => ("blob" in place ? [] : [[name, place] as const]));
    const inFiles = places.flatMap(([name, place]) => ("blob" in place ? [[name, place] as const] : []));
    const load: WorkerLoad = { options: this.sessionOptions(), inMemory: inMemory.map(([name]) => name), inFiles };
    const asked = { where, problem: "cannot be loaded", device: this.device };
    const request: Request<WorkerLoad> = { kind: "load", session, load };
    const arrays = [model, ...inMemory.map(([, bytes]) => bytes)];
    await requestDone(process, asked, request, arrays, this.options.onProgress);
  }

  async release(): Promise<void> {
    // The weights belong to whoever mapped them.
  }

  private sessionOptions(): WorkerLoad["options"] {
    const { save = false, level = "basic", prepack = false } = this.options;
    return {
      executionProviders: ["wasm"],
      graphOptimizationLevel: save ? "all" : level,
      enableCpuMemArena: true,
      enableMemPattern: false,
      // The reason why a graphics card cannot be used is a warning.
      logSeverityLevel: this.device === "cpu" ? 3 : 2,
      extra: {
        session: {
          ...(prepack ? {} : { disable_prepacking: "1" }),
          ...(this.device === "cpu" ? {} : { disable_cpu_ep_fallback: "1" }),
        },
      },
    };
  }
}
