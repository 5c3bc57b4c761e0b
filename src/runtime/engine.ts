import type { IntTensor, Tensor } from "../core/index.ts";
import type { Program, Target } from "../graph/index.ts";
import type { Cache } from "../storage/index.ts";

export const devices = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const;
export type Device = (typeof devices)[number];

/** Which operations a device has kernels for: onnxruntime's own fused ones, or only those of the ONNX standard. */
export const targetOf = (device: Device): Target => (device === "cpu" || device === "cuda" ? "ort" : "onnx");

export interface EngineOptions {
  /** What computes: this and nothing else, or a DeviceError. Default "cpu". */
  device?: Device;
  /** CPU threads that one call uses. It changes bits of the results, so it is recorded. Default: physical cores. */
  threads?: number;
  signal?: AbortSignal;
}

/**
 * How far onnxruntime rewrites a graph. "basic" folds what is constant; "extended" also fuses, of which our graphs leave
 * it nothing that pays; "all" also changes layouts, and copies the weights.
 */
export type OptimisationLevel = "disabled" | "basic" | "extended" | "all";

export interface LoadOptions {
  /** Default "basic", with which weights stay shared with the file and a large program is ready soonest. */
  level?: OptimisationLevel;
  /** Repack weights for the CPU's kernels: a private copy of them, and a slow load. Default false. */
  prepack?: boolean;
  /**
   * Optimise at level "all" once, keep the result in this cache, and load it from there ever after, at once and with
   * shared weights. Costs the weights' size on disk; belongs to this CPU and this onnxruntime. Overrides `level`.
   */
  saveIn?: Cache;
  /** A folder that receives onnxruntime's per-operation profile, a JSON file, when the session is released. */
  profileInto?: string;
  signal?: AbortSignal;
}

/**
 * A tensor of float32 that stays in the engine between runs: an output of one run that a later one takes as input, without
 * a copy to this process and back. It is gone when the engine's process ends (a cancelled or failed call ends it); reading
 * or feeding it then throws ResidentError, and work goes on from its last checkpoint.
 */
export interface Resident {
  readonly shape: readonly number[];
  /** Copies it out of the engine. Throws ResidentError if it is gone. */
  read(signal?: AbortSignal): Promise<Tensor>;
  /** Frees its memory, at the latest with the engine's next call. */
  release(): void;
}

/** Values for a program's inputs by their names: floats, whole numbers for an int64 input, or a tensor in the engine. */
export type Feeds = Readonly<Record<string, Tensor | IntTensor | Resident>>;

export interface RunOptions {
  /** Names of the outputs wanted, which are then the only ones moved. Default: all. */
  outputs?: readonly string[];
  /** Reject with NumericError where an output holds NaN or an infinity. */
  finite?: boolean;
  signal?: AbortSignal;
}

/** A program that is ready to run. */
export interface Session {
  readonly name: string;
  readonly inputs: Program["inputs"];
  readonly outputs: Program["outputs"];
  /**
   * Computes the outputs. Throws GraphError that lists everything wrong with the feeds, CancelledError within a
   * second of the signal, EngineError where native code fails or is killed, MemoryError where it runs out.
   */
  run(feeds: Feeds, options?: RunOptions): Promise<Record<string, Tensor>>;
  /**
   * Computes the outputs, and leaves those named in `keep` in the engine. `options.outputs` names those to move, by default
   * none. Throws as `run`, and ResidentError if a fed tensor is gone.
   */
  runKeeping(
    feeds: Feeds,
    keep: readonly string[],
    options?: RunOptions,
  ): Promise<{ outputs: Record<string, Tensor>; kept: Record<string, Resident> }>;
  /** Frees the memory that it holds. */
  release(): Promise<void>;
}

/** A program whose need of memory is known. */
export interface MeasuredSession extends Session {
  /** Bytes that it takes, the engine's process not counted, as estimated for the largest batch that it has run. */
  readonly memory: number;
  /** Throws MemoryError where a batch of so many rows would need more memory than is free. */
  checkBatch(batch: number): void;
}

/**
 * Runs programs, one call at a time, apart from this process: whatever happens to native code ends in an error here.
 * A cancelled or failed call does not end the engine; what was loaded is loaded again when it is next used.
 */
export interface Engine {
  readonly device: Device;
  readonly threads: number;
  readonly versions: Readonly<Record<"onnxruntime", string>>;
  /** The process that does the work, to measure it. Changes when a call is cancelled or fails. */
  readonly pid: number | undefined;
  load(program: LoadableProgram, options?: LoadOptions): Promise<Session>;
  /**
   * Throws MemoryError if `what` is estimated to need more bytes than are free. Only the memory of a CPU is known: other
   * devices refuse nothing.
   */
  checkMemory(estimate: number, what: string): void;
  /** Copies tensors into the engine, where they stay. Throws CancelledError, EngineError. */
  put(tensors: readonly Tensor[], signal?: AbortSignal): Promise<Resident[]>;
  close(): Promise<void>;
}

/** What of a compiled graph it takes to run it. */
export type LoadableProgram = Pick<Program, "name" | "model" | "sources" | "inputs" | "outputs">;
