import type { Cache } from "../../storage/index.ts";
import type { Device } from "../engine.ts";
import type { EngineProcess } from "./childProcess.ts";

/** The functions of an engine that its sessions and resident tensors use. */
export interface Host {
  readonly device: Device;
  readonly threads: number;
  readonly versions: Readonly<Record<"onnxruntime", string>>;
  /** Keeps expanded weights and optimised programs. */
  readonly cache: Cache;
  /** Runs `work` alone, on a process that is running. Ends that process if `signal` aborts meanwhile. */
  exclusive<T>(what: string, signal: AbortSignal | undefined, work: (child: EngineProcess) => Promise<T>): Promise<T>;
}
