import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  type ByteSource,
  type Folder,
  filesOf,
  type OpenOptions,
  openCheckpoint,
  snapshotOf,
  subfolder,
} from "../../weights/index.ts";
import { writeFileAtomic } from "../atomic.ts";
import { openLocal } from "../files.ts";
import { makeFolder } from "../folders.ts";
import { cacheFolder } from "../places.ts";
import { requireSpace } from "../space.ts";
import { choosePipeline, weightFiles } from "./choose.ts";
import { totalSize } from "./files.ts";
import { atSite, type InstalledModel, type InstallOptions, install } from "./install.ts";
import { parseModelName } from "./names.ts";

/** Read and written at a time. */
const PORTION = 4 << 20;

/**
 * Installs a model that is on this disk already, under a name: a diffusers folder, an entry of the Hugging Face cache, or
 * a single .safetensors file. It is opened before it is copied. Throws CheckpointError where it is no model that baret
 * can use, UsageError where `name` cannot be one's, StorageError where the disk is too full or cannot be written,
 * CancelledError when told to stop.
 */
export async function copyModel(
  name: string,
  from: string,
  { cache = cacheFolder(), variant, prediction, signal, onProgress }: InstallOptions & OpenOptions = {},
): Promise<InstalledModel> {
  const full = parseModelName(name, { needsOwner: false });
  const place = await openLocal(from);
  await openCheckpoint(place, { variant, prediction });
  const sources = "list" in place ? await pipelineFiles(place, variant) : singleFile(place);
  const total = totalSize(sources.values());

  return atSite(full, cache, async (site) => {
    await rm(site.staging, { recursive: true, force: true });
    await makeFolder(site.staging);
    await requireSpace(site.staging, total, "the model");
    let done = 0;
    async function* portions({ size, read }: ByteSource): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < size; at += PORTION) {
        const bytes = await read(at, Math.min(PORTION, size - at));
        yield bytes;
        done += bytes.length;
        onProgress?.({ phase: "copy", done, total, unit: "bytes" });
      }
    }
    for (const [path, source] of sources) {
      const target = join(site.staging, path);
      await makeFolder(dirname(target));
      await writeFileAtomic(target, portions(source), { signal });
    }
    const record = { name: full, ...(variant && { variant }), ...(prediction && { prediction }) };
    await install(site, record, "list" in place ? "" : [...sources.keys()][0]);
    return { ...record, path: site.final, files: sources.size, bytes: total, moved: total };
  });
}

function singleFile(source: ByteSource): Map<string, ByteSource> {
  const name = basename(source.name);
  return new Map([[name.endsWith(".safetensors") ? name : `${name}.safetensors`, source]]);
}

/** The files of a folder that make up its pipeline, by their paths in it. */
async function pipelineFiles(place: Folder, variant?: string): Promise<Map<string, ByteSource>> {
  const folder = await snapshotOf(place);
  const paths = await filesOf(folder);
  for (const { name, kind } of await folder.list()) {
    if (kind === "folder") paths.push(...(await filesOf(subfolder(folder, name))).map((file) => `${name}/${file}`));
  }
  const choice = choosePipeline(folder.name, paths, variant);
  const weights = await weightFiles(choice, paths, (path) => folder.open(path));
  const sources = new Map<string, ByteSource>();
  for (const path of [...choice.small, ...weights]) sources.set(path, await folder.open(path));
  return sources;
}
