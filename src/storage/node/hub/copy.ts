import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  type ByteSource,
  type Folder,
  filesOf,
  type OpenOptions,
  snapshotOf,
  subfolder,
} from "../../../weights/index.ts";
import { writeFileAtomic } from "../atomic.ts";
import { cacheFolder } from "../cacheFolder.ts";
import { openLocal } from "../files.ts";
import { makeFolder } from "../folders.ts";
import { kindOf, type ModelKind } from "../modelKind.ts";
import { requireSpace } from "../space.ts";
import { chooseClip, choosePipeline, weightFiles } from "./choose.ts";
import { totalSize } from "./files.ts";
import { type InstalledModel, type InstallOptions, install, openOnce, withInstallFolders } from "./install.ts";
import { parseModelName } from "./names.ts";

/** Bytes read and written at a time. */
const PORTION = 4 << 20;

/**
 * Copies a model from this disk into the cache: a diffusers folder, the folder of a CLIP model, an entry of the Hugging Face
 * cache, or a single .safetensors file. The model is opened before it is copied. Throws CheckpointError if baret cannot use it, UsageError if
 * `name` is no model name, StorageError if the disk is full or cannot be written, CancelledError if the signal aborts.
 */
export async function copyModel(
  name: string,
  from: string,
  { cache = cacheFolder(), variant, prediction, checkClip, signal, onProgress }: InstallOptions & OpenOptions = {},
): Promise<InstalledModel> {
  const full = parseModelName(name, { needsOwner: false });
  const opened = await openLocal(from);
  const kind = "list" in opened ? ((await kindOf(opened)) ?? "diffusers folder") : "single file";
  await openOnce(opened, kind, { variant, prediction }, checkClip);
  const sources = "list" in opened ? await chosenFiles(opened, kind, variant) : singleFile(opened);
  const total = totalSize(sources.values());

  return withInstallFolders(full, cache, async ({ staging, final }) => {
    await rm(staging, { recursive: true, force: true });
    await makeFolder(staging);
    await requireSpace(staging, total, "the model");
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
      const target = join(staging, path);
      await makeFolder(dirname(target));
      await writeFileAtomic(target, portions(source), { signal });
    }
    const record = { name: full, ...(variant && { variant }), ...(prediction && { prediction }) };
    await install({ staging, final }, record, async () => {
      const place = await openLocal("list" in opened ? staging : join(staging, [...sources.keys()][0]));
      await openOnce(place, kind, { prediction }, checkClip);
    });
    return { ...record, kind, path: final, files: sources.size, bytes: total, moved: total };
  });
}

function singleFile(source: ByteSource): Map<string, ByteSource> {
  const name = basename(source.name);
  return new Map([[name.endsWith(".safetensors") ? name : `${name}.safetensors`, source]]);
}

/** Returns the files that baret needs of a model's folder, by their paths in it. */
async function chosenFiles(model: Folder, kind: ModelKind, variant?: string): Promise<Map<string, ByteSource>> {
  const folder = await snapshotOf(model);
  const paths = await filesOf(folder);
  for (const { name, kind } of await folder.list()) {
    if (kind === "folder") paths.push(...(await filesOf(subfolder(folder, name))).map((file) => `${name}/${file}`));
  }
  const chosen = (kind === "CLIP" ? chooseClip : choosePipeline)(folder.name, paths, variant);
  const weights = await weightFiles(chosen, paths, (path) => folder.open(path));
  const sources = new Map<string, ByteSource>();
  for (const path of [...chosen.small, ...weights]) sources.set(path, await folder.open(path));
  return sources;
}
