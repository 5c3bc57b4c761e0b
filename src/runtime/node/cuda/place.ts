import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { cacheFolder } from "../../../storage/node/index.ts";
import { installedOnnxruntime } from "../onnxruntime.ts";

const schema = z.strictObject({
  /** Version of the onnxruntime-node that it fits. */
  onnxruntime: z.string(),
  folder: z.string(),
  /** Names of all its files. */
  files: z.array(z.string()),
  packages: z.array(z.string()),
});

/** CUDA libraries that `baret cuda install` has put in place. */
export type CudaInstall = z.infer<typeof schema>;

export const provider = "libonnxruntime_providers_cuda.so";

/** Folder of the records of installations, and of their files unless the user names another folder. */
export const cudaHome = (): string => join(cacheFolder(), "cuda");

/** Names an installation: libraries fit one version of onnxruntime on one system and processor. */
export const installName = (version: string): string => `onnxruntime-${version}-${process.platform}-${process.arch}`;

export const recordPath = (version: string): string => join(cudaHome(), `${installName(version)}.json`);

/**
 * Returns the CUDA libraries that are in place for this onnxruntime. Undefined if there are none, as on systems other than Linux,
 * or if files of them are missing.
 */
export function findCuda(version = installedOnnxruntime()?.version): CudaInstall | undefined {
  if (version === undefined) return undefined;
  try {
    const found = schema.parse(JSON.parse(readFileSync(recordPath(version), "utf8")));
    return existsSync(join(found.folder, provider)) ? found : undefined;
  } catch {
    return undefined;
  }
}
