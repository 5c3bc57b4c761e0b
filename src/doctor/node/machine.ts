import { constants } from "node:fs";
import { access, readdir, stat, statfs } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { version } from "../../core/index.ts";
import { availableMemory, findCuda, installedOnnxruntime, physicalCores } from "../../runtime/node/index.ts";
import { cacheFolder, listModels } from "../../storage/node/index.ts";
import type { DoctorReport } from "../report.ts";
import { gpuFacts, isWsl, vulkanDrivers } from "./gpus.ts";

/** Reads facts one by one. One that fails is absent, and named in `problems`. */
class Facts {
  readonly problems: string[] = [];

  async read<T>(what: string, work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const [reason] = (error instanceof Error ? error.message : String(error)).split("\n");
      this.problems.push(`${what} cannot be read: ${reason}`);
      return undefined;
    }
  }
}

/** Returns the bytes of all files below a folder. Files that vanish meanwhile do not count. */
async function bytesBelow(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) sum += await bytesBelow(path).catch(() => 0);
    else if (entry.isFile()) sum += (await stat(path).catch(() => undefined))?.size ?? 0;
  }
  return sum;
}

/** Returns the folder itself, or the nearest one above it that exists. */
async function existing(folder: string): Promise<string> {
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isThere || dirname(folder) === folder ? folder : existing(dirname(folder));
}

async function cacheFacts(): Promise<NonNullable<DoctorReport["cache"]>> {
  const folder = cacheFolder();
  const nearest = await existing(folder);
  const space = await statfs(nearest).catch(() => undefined);
  const writable = await access(nearest, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  const bytes = nearest === folder ? await bytesBelow(folder).catch(() => undefined) : 0;
  return {
    folder,
    writable,
    ...(bytes !== undefined && { bytes }),
    ...(space && { free: space.bavail * space.bsize }),
  };
}

function memoryFacts(): NonNullable<DoctorReport["memory"]> {
  const total = totalmem();
  // 0 or more than the machine has: there is no limit.
  const limit = process.constrainedMemory();
  return { total, available: availableMemory(), ...(limit > 0 && limit < total && { limit }) };
}

function glibcVersion(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}

/** Returns the facts of this machine that need no device. It never throws: what cannot be read is absent. */
export async function machineFacts(): Promise<Omit<DoctorReport, "devices">> {
  const facts = new Facts();
  const onnxruntime = installedOnnxruntime();
  const memory = await facts.read("the memory", memoryFacts);
  const cache = await facts.read("the cache folder", cacheFacts);
  const models = await facts.read("the list of models", () => listModels());
  const graphics = await facts.read("the graphics cards", () => gpuFacts());
  const glibc = await facts.read("the version of glibc", glibcVersion);
  const cuda = findCuda();
  const { problems } = facts;
  if (cache && !cache.writable)
    problems.push(`${cache.folder} cannot be written. Set BARET_CACHE to a folder that can.`);
  if (cache?.free !== undefined && cache.free < 1e9)
    problems.push(`The disk of ${cache.folder} has less than 1 GB free.`);
  if (onnxruntime === undefined)
    problems.push("onnxruntime-node is not installed. Install baret again, with npm ci for example.");
  else if (!onnxruntime.hasBinary) {
    problems.push(
      `onnxruntime-node has no binary for ${process.platform} on ${process.arch}, in ${onnxruntime.folder}.`,
    );
  }
  return {
    baret: version,
    node: process.version,
    ...(onnxruntime && { onnxruntime: { version: onnxruntime.version, hasBinary: onnxruntime.hasBinary } }),
    system: {
      platform: process.platform,
      arch: process.arch,
      release: release(),
      ...(glibc && { glibc }),
      wsl: isWsl(),
    },
    processor: { ...(cpus()[0] && { name: cpus()[0].model.trim() }), cpus: cpus().length, threads: physicalCores() },
    ...(memory && { memory }),
    ...(cache && { cache }),
    ...(models && { models: models.map(({ name, place, path }) => ({ name, place, path })) }),
    gpus: graphics?.gpus ?? [],
    vulkan: (await facts.read("Vulkan's drivers", () => vulkanDrivers())) ?? [],
    ...(cuda && { cuda: { folder: cuda.folder, packages: cuda.packages } }),
    problems: [...problems, ...(graphics?.problems ?? [])],
  };
}
