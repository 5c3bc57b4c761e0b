import type { InferenceSession } from "onnxruntime-web/wasm";
import type { Progress } from "../../core/index.ts";
import type { Answer, Request } from "../messages.ts";
import type { FileWeight } from "./fileWeights.ts";

/** The first message to a Worker. */
export interface WorkerSettings {
  readonly device: "cpu" | "webgpu";
  readonly threads: number;
  /** Where onnxruntime-web's files are. Default: where the bundler put them. */
  readonly wasmPaths?: WasmPaths;
  /** True if WebGPU may be a program on the CPU. */
  readonly software: boolean;
  /** The Worker holds a lock of this name while it lives. A Worker ends without an event. */
  readonly lock: string;
}

/** A folder that ends in "/", or the URLs of onnxruntime-web's .wasm file and of the .mjs file that belongs to it. */
export type WasmPaths = string | { readonly wasm?: string; readonly mjs?: string };

/** How a Worker loads a program. The message's first array is the model, the others are weights that are in memory. */
export interface WorkerLoad {
  readonly options: InferenceSession.SessionOptions;
  /** Names, in the model, of the weights that are in memory. */
  readonly inMemory: readonly string[];
  /** Weights that the Worker reads from their files, by their names in the model. */
  readonly inFiles: readonly (readonly [name: string, weight: FileWeight])[];
}

/** Every later message to a Worker. */
export interface WorkerRequest {
  readonly request: Request<WorkerLoad>;
  readonly arrays: readonly Uint8Array[];
}

/** A message of a Worker while it carries out a request. */
export interface WorkerNews {
  readonly progress: Progress;
}

/** A message of a Worker that ends a request. */
export interface WorkerAnswer extends Answer {
  /** Lines that native code has logged since the last answer. */
  readonly log: string;
  /** True if the Worker can compute nothing more. */
  readonly broken?: boolean;
}
