import { type IntTensor, shown, type Tensor, UsageError, type Warning, type Work } from "../core/index.ts";
import type { AdamOptions, AdamState, Program, Target } from "../graph/index.ts";
import type { WeightSet } from "../weights/index.ts";
import type { MappedWeights } from "./mappedWeights.ts";

export const devices = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const;
export type Device = (typeof devices)[number];

/** Returns the operations that a device has kernels for: onnxruntime's own fused ones, or only those of the ONNX standard. */
export const targetOf = (device: Device): Target => (device === "cpu" || device === "cuda" ? "ort" : "onnx");

/** The numbers that noise predictions and the VAE's decoder are computed with. All other programs are always float32. */
export const precisions = ["float32", "float16"] as const;
export type Precision = (typeof precisions)[number];

/** A precision that a caller may ask for. "auto" lets the engine choose: see `EngineOptions`. */
export const precisionChoices = [...precisions, "auto"] as const;
export type PrecisionChoice = (typeof precisionChoices)[number];

/** The numbers that the linear layers of noise predictions are multiplied in. */
export const linearChoices = ["float32", "int8"] as const;
export type LinearNumbers = (typeof linearChoices)[number];

/** Throws UsageError if a precision is none. */
export function requirePrecision(precision: PrecisionChoice): void {
  if (precisionChoices.includes(precision)) return;
  throw new UsageError("precision", { found: shown(precision), expected: precisionChoices.join(", ") });
}

/** Throws UsageError if numbers of linear layers are none, or cannot be had with the other options. */
export function requireLinear(linear: LinearNumbers, { device, precision }: EngineChoice): void {
  if (!linearChoices.includes(linear)) {
    throw new UsageError("linear", { found: shown(linear), expected: linearChoices.join(", ") });
  }
  if (linear === "float32" || (device === "cpu" && precision !== "float16")) return;
  throw new UsageError("linear layers in 8 bits are for the CPU in float32", {
    where: "linear",
    found: `${linear} with ${device === "cpu" ? precision : device}`,
    advice: "Leave it at float32, or leave device and precision out.",
  });
}

/** The options of an engine that change the bits of its results. */
export type EngineChoice = Readonly<Pick<EngineOptions, "device" | "threads" | "precision" | "linear">>;

export interface EngineOptions {
  /** The device that computes. There is no fallback to another one. Default "cpu". */
  device?: Device;
  /** CPU threads of one call. The number changes bits of the results, so it is recorded. Default: physical cores. */
  threads?: number;
  /**
   * "float16" takes half the memory, and less time on most graphics cards; a CPU is slower with it. "auto", the default, takes
   * float16 on a device other than the CPU if a piece of a U-Net is at most 1e-2 from float32 in it and takes at most 0.9 of
   * float32's time. Otherwise it takes float32, and the engine's warnings say why.
   */
  precision?: PrecisionChoice;
  /**
   * "int8" multiplies the linear layers of noise predictions in 8 bits, which takes less time on a CPU and differs a little. Only
   * in Node, with the device "cpu" and float32. Starting fails if this CPU's products of bytes overflow. Default "float32".
   */
  linear?: LinearNumbers;
  signal?: AbortSignal;
}

/** Returns the options of an engine that change the bits of its results, and no other fields. */
export const engineChoice = ({ device, threads, precision, linear }: EngineChoice): EngineChoice => ({
  device,
  threads,
  precision,
  linear,
});

/** Returns the precision that a choice means on a device, as far as it is known before an engine starts. */
export const knownPrecision = ({ device = "cpu", precision = "auto" }: EngineChoice): PrecisionChoice =>
  device === "cpu" && precision === "auto" ? "float32" : precision;

/**
 * Changes that onnxruntime may make to a graph. "basic" computes constant values once. "extended" also fuses operations, which
 * gains nothing for these graphs. "all" also changes memory layouts and copies the weights.
 */
export type OptimisationLevel = "disabled" | "basic" | "extended" | "all";

export interface LoadOptions {
  /** Default "basic": weights stay shared with the file, and a large program is ready soonest. */
  level?: OptimisationLevel;
  /** Repack weights for the CPU's kernels. This needs a private copy of them and a slow load. Default false. */
  prepack?: boolean;
  /**
   * Optimise at level "all" once and keep the result in the engine's cache. Later loads are fast and share the weights. It
   * takes as much disk space as the weights, and is valid for this CPU and this onnxruntime. Overrides `level`. An engine
   * without a cache optimises at level "all" at every load. Default false.
   */
  save?: boolean;
  /** A folder for onnxruntime's profile of every operation, a JSON file, written when the session is released. */
  profileInto?: string;
  /**
   * Called while the weights are read, with the phase "read weights" in bytes, by an engine that reads them from their files one
   * by one: in a browser. Another maps its files, which takes no time.
   */
  onProgress?: Work["onProgress"];
  signal?: AbortSignal;
}

/**
 * A float32 tensor that stays in the engine between runs: an output of one run that a later run takes as input, without
 * being moved to this process and back. It is lost if the engine's process ends, which a cancelled or failed call causes.
 * Reading or feeding it then throws ResidentError, and work resumes from its last checkpoint.
 */
export interface Resident {
  readonly shape: readonly number[];
  /** Copies it out of the engine. Throws ResidentError if it is lost. */
  read(signal?: AbortSignal): Promise<Tensor>;
  /** Frees its memory with the next call of the engine. */
  release(): void;
}

/** Values of a program's inputs, by name: floats, whole numbers for an int64 input, or a tensor in the engine. */
export type Feeds = Readonly<Record<string, Tensor | IntTensor | Resident>>;

export interface RunOptions {
  /** Names of the outputs to return. Default: all. */
  outputs?: readonly string[];
  /** Reject with NumericError if an output contains NaN or an infinity. */
  finite?: boolean;
  signal?: AbortSignal;
}

/** A program that is ready to run. */
export interface Session {
  readonly name: string;
  readonly inputs: Program["inputs"];
  readonly outputs: Program["outputs"];
  /**
   * Computes the outputs. Throws GraphError that lists every problem of the feeds, CancelledError within a second of the
   * signal, EngineError if native code fails or is killed, MemoryError if memory runs out.
   */
  run(feeds: Feeds, options?: RunOptions): Promise<Record<string, Tensor>>;
  /**
   * Computes the outputs and leaves those named in `keep` in the engine. `options.outputs` names those to return, by default
   * none. Throws what `run` throws, and ResidentError if a fed tensor is lost.
   */
  runKeeping(
    feeds: Feeds,
    keep: readonly string[],
    options?: RunOptions,
  ): Promise<{ outputs: Record<string, Tensor>; kept: Record<string, Resident> }>;
  /** Frees its memory. */
  release(): Promise<void>;
}

/** A session whose memory is estimated. */
export interface MeasuredSession extends Session {
  /** Estimated bytes for the largest batch so far, without the engine's process itself. */
  readonly memory: number;
  /** Throws MemoryError if a batch of that many rows would need more memory than is free. */
  checkBatch(batch: number): void;
}

/** A weight with Adam's moments, as `adamStep` of src/graph keeps them, and its gradient, which may have another shape. */
export interface AdamUpdate<Value = Resident> extends AdamState<Value> {
  readonly gradient: Value;
}

/** Adam on tensors in the engine, which are changed where they are. It takes less time and memory than Adam in a program. */
export interface InPlaceAdam {
  /**
   * Copies weights and their moments into the engine. A weight and its moments must be put by one call. Throws
   * CancelledError, EngineError.
   */
  put(tensors: readonly Tensor[], signal?: AbortSignal): Promise<Resident[]>;
  /** Takes step t, counted from 1. Throws ResidentError if a tensor is lost, CancelledError, EngineError. */
  step(
    updates: readonly AdamUpdate[],
    t: number,
    learningRate: number,
    options?: AdamOptions,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** Returns whether an engine on a device has `adam`: WebGPU alone keeps tensors in a memory of the device. */
export const updatesInPlace = (device: Device): boolean => device !== "webgpu";

/** Bytes of tensors that were moved between the caller and an engine. Weights and programs do not count. */
export interface Traffic {
  readonly toEngine: number;
  readonly fromEngine: number;
}

/**
 * Runs programs in a process of its own, one call at a time, so that a crash of native code becomes an error here. After a
 * cancelled or failed call the engine still works: it loads a program again when the program is next used.
 */
export interface Engine {
  readonly device: Device;
  readonly threads: number;
  readonly precision: Precision;
  readonly linear: LinearNumbers;
  /** Warnings about its start, for the user. Absent: none. */
  readonly warnings?: readonly Warning[];
  /** Most bytes of one buffer of the device. Absent if it has no limit, or does not tell it. */
  readonly largestBuffer?: number;
  /** Versions on which the bits of results depend, with the precision and the numbers of linear layers if they are not float32. */
  readonly versions: Readonly<Record<"onnxruntime", string>>;
  /** Traffic since the engine was started, for measurements. */
  readonly traffic: Traffic;
  /** Id of the process that does the work, for measurements. Changes if a call is cancelled or fails. */
  readonly pid: number | undefined;
  load(program: LoadableProgram, options?: LoadOptions): Promise<Session>;
  /**
   * Prepares the weights of a network, by their names, for any number of programs of this engine. Converts those of another
   * dtype than the device computes in, and leaves dtypes that are no floats alone (old checkpoints contain position_ids).
   * Reports progress in bytes. Throws CheckpointError, CancelledError, StorageError if the disk has too little space.
   */
  mapWeights(weights: WeightSet, work?: Work): Promise<MappedWeights>;
  /**
   * Throws MemoryError if `estimate`, the bytes that `what` needs, is more than is free. Only a CPU's memory is known; other
   * devices never refuse.
   */
  checkMemory(estimate: number, what: string): void;
  /** Copies tensors into the engine. Throws CancelledError, EngineError. */
  put(tensors: readonly Tensor[], signal?: AbortSignal): Promise<Resident[]>;
  /** Absent if the engine keeps tensors where only programs can change them: see `updatesInPlace`. */
  readonly adam?: InPlaceAdam;
  /** Copies tensors out of the engine, all in one call. Throws ResidentError if one is lost, CancelledError, EngineError. */
  read(residents: readonly Resident[], signal?: AbortSignal): Promise<Tensor[]>;
  close(): Promise<void>;
}

/** The fields of a compiled graph that an engine needs to run it. */
export type LoadableProgram = Pick<Program, "name" | "model" | "sources" | "inputs" | "outputs">;
