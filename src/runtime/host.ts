import type { Device } from "./engine.ts";
import type { Answer, Reply, Request } from "./messages.ts";
import type { Asked, EngineProcess } from "./process.ts";

/** The functions of an engine that its sessions and resident tensors use. */
export interface Host {
  readonly device: Device;
  /** Runs `work` alone, on a process that is running. Ends that process if `signal` aborts meanwhile. */
  exclusive<T>(what: string, signal: AbortSignal | undefined, work: (process: EngineProcess) => Promise<T>): Promise<T>;
  /** Sends a request whose arrays are tensors, and counts their bytes. Throws as `requestDone`. */
  move(
    process: EngineProcess,
    asked: Omit<Asked, "device">,
    request: Request,
    arrays?: readonly Uint8Array[],
  ): Promise<Answer<Reply & { kind: "done" }>>;
}

/** Loads one program into processes of a platform. */
export interface Loading {
  /** Loads it as session number `session`. Throws what `Engine.load` throws. */
  into(process: EngineProcess, session: number): Promise<void>;
  /** Called once it is no longer used. */
  release(): Promise<void>;
}
