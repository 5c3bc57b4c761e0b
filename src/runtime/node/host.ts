import type { Device } from "../engine.ts";
import type { EngineProcess } from "./childProcess.ts";

/** What sessions and resident tensors need of their engine. */
export interface Host {
  readonly device: Device;
  readonly threads: number;
  readonly versions: Readonly<Record<"onnxruntime", string>>;
  /** Runs `work` alone, on a process that lives; ends that process where `signal` is aborted meanwhile. */
  exclusive<T>(what: string, signal: AbortSignal | undefined, work: (child: EngineProcess) => Promise<T>): Promise<T>;
}
