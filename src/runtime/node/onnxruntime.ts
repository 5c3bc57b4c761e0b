import { existsSync, readFileSync } from "node:fs";
// Programs that bundle baret often declare createRequire themselves, at the top of the bundle.
import module from "node:module";
import { dirname, join } from "node:path";

/** The installed onnxruntime-node, found without loading its native code. */
export interface InstalledOnnxruntime {
  readonly version: string;
  /** Folder of the native binary for this system and processor. It may be missing. */
  readonly folder: string;
  /** True if the native binary is there. */
  readonly hasBinary: boolean;
}

/** Returns the onnxruntime-node that the child process loads. Undefined if it is not installed. */
export function installedOnnxruntime(): InstalledOnnxruntime | undefined {
  try {
    const root = dirname(dirname(module.createRequire(import.meta.url).resolve("onnxruntime-node")));
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    const folder = join(root, "bin", "napi-v6", process.platform, process.arch);
    return { version, folder, hasBinary: existsSync(join(folder, "onnxruntime_binding.node")) };
  } catch {
    return undefined;
  }
}
