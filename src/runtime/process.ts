import { DeviceError, EngineError, MemoryError, type Work } from "../core/index.ts";
import type { Device } from "./engine.ts";
import type { Answer, Reply, Request } from "./messages.ts";
import { isDeviceLost, withReasons } from "./reasons.ts";

/** A process that computes: a child process or a Worker. It answers one request at a time. */
export interface EngineProcess {
  /** Its id in the operating system, if it has one. */
  readonly pid: number | undefined;
  /**
   * Sends a request. Throws EngineError if the process ends before it answers. onProgress: hears how many bytes of weights are
   * read, from a process that reads them one by one.
   */
  request(request: Request, arrays?: readonly Uint8Array[], onProgress?: Work["onProgress"]): Promise<Answer>;
  /** Text that native code has logged since the last request was sent. */
  log(): Promise<string>;
  /** Frees a resident tensor, with the next request. */
  drop(resident: number): void;
  /** True if it takes no more requests. */
  readonly isEnding: boolean;
  /** Ends it at once, inside a native call too. */
  kill(): void;
  /** Ends it. Resolves when its memory is free. */
  end(): Promise<void>;
}

const outOfMemory =
  /bad[ _]alloc|failed to allocate|out of memory|not enough memory|tensor shape is too large|safeint.*overflow/i;

/** The program of a request, for its errors. */
export interface Asked {
  /** Name of the program. */
  readonly where: string;
  /** The meaning of its failure: "cannot be loaded". */
  readonly problem: string;
  readonly device: Device;
}

async function failure({ where, problem, device }: Asked, said: string, process: EngineProcess): Promise<Error> {
  // A device's library that cannot be loaded is named in the log alone. A CPU's log only repeats the message.
  const found = device === "cpu" ? said : withReasons(said, await process.log());
  if (device !== "cpu" && isDeviceLost(found)) {
    process.kill();
    return new DeviceError("the graphics card stopped working, and its memory is lost", {
      where,
      found,
      advice:
        "Try again: the programs are loaded anew. If it happens again, use a smaller picture, close other programs that use the card, or update its driver.",
    });
  }
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
      found: device,
      advice: "Use the device cpu.",
    });
  }
  return new EngineError(problem, { where, found });
}

/**
 * Sends a request about a program. Throws MemoryError, DeviceError or EngineError with native code's reasons if it fails,
 * EngineError if the process ends before it answers. If the device is lost, it ends the process, and the next call starts
 * another one.
 */
export async function requestDone(
  process: EngineProcess,
  asked: Asked,
  request: Request,
  arrays?: readonly Uint8Array[],
  onProgress?: Work["onProgress"],
): Promise<Answer<Reply & { kind: "done" }>> {
  const { reply, arrays: results } = await process.request(request, arrays, onProgress);
  if (reply.kind === "done") return { reply, arrays: results };
  throw await failure(asked, (reply.kind === "failed" ? reply.message : reply.kind).trim(), process);
}
