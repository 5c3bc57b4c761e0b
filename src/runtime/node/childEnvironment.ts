import type { Device } from "../engine.ts";
import { findCuda } from "./cuda/place.ts";

/** Where WSL puts the Windows driver's libcuda.so.1. A folder that does not exist is ignored. */
const WSL = "/usr/lib/wsl/lib";

/**
 * Returns the environment of the child process. onnxruntime 1.30 keeps a device id and a database of usage in the user's cache
 * folder for upload to Microsoft, unless it is told not to. For CUDA, its libraries are found through the library path, which the
 * system's loader reads only when a process starts.
 */
export function childEnvironment(device: Device, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const cuda = device === "cuda" && process.platform === "linux" ? findCuda() : undefined;
  return {
    // By default glibc keeps freed pieces of up to 32 MB, so memory used for loading a program is never given back.
    MALLOC_MMAP_THRESHOLD_: `${1 << 20}`,
    ORT_DISABLE_TELEMETRY: "1",
    ...env,
    ...(cuda && { LD_LIBRARY_PATH: [cuda.folder, env.LD_LIBRARY_PATH, WSL].filter(Boolean).join(":") }),
  };
}
