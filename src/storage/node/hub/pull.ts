import { readdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { checkPipeline, type Folder } from "../../../weights/index.ts";
import { cacheFolder } from "../cacheFolder.ts";
import { openLocal, openLocalFile } from "../files.ts";
import { kindOf } from "../modelKind.ts";
import { type HubAccess, hubAccess } from "./access.ts";
import { chooseClip, choosePipeline, weightFiles } from "./choose.ts";
import { HubClient } from "./client.ts";
import { Downloader } from "./downloader.ts";
import { totalSize } from "./files.ts";
import {
  type InstalledModel,
  type InstallOptions,
  install,
  openOnce,
  readRecord,
  withInstallFolders,
} from "./install.ts";
import { parseModelName, usualRevision } from "./names.ts";
import { PullProgress } from "./progress.ts";
import type { ModelRevision } from "./responseErrors.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./retry.ts";

/** A small file takes one round trip to the hub, so several are downloaded at once. */
const SMALL_AT_ONCE = 8;

export interface PullOptions extends InstallOptions {
  /** A branch, a tag or a commit. Default: the branch main, or the commit that baret knows to fit. */
  revision?: string;
  /** "fp16" for weights in half precision. Default: the plain weights, or the only ones. */
  variant?: string;
  /** Default: HF_ENDPOINT and HF_TOKEN. */
  access?: HubAccess;
  retries?: RetryPolicy;
}

/**
 * Downloads the files of a Stable Diffusion model that baret needs into the cache, as a diffusers folder, or those of a CLIP
 * model that scores edits. Files and partial files that are on disk are not downloaded again, also if they come from another revision. Every file's checksum is
 * verified, and the model is opened once before it is installed.
 *
 * Throws UsageError if `name` is no model name, HubError if the hub refuses or cannot be reached, CheckpointError if baret
 * cannot use the model (before weights are downloaded, if its configuration shows it), StorageError if the disk is full or
 * cannot be written, CancelledError if the signal aborts.
 */
export async function pullModel(name: string, options: PullOptions = {}): Promise<InstalledModel> {
  const { revision, variant, cache = cacheFolder(), access = hubAccess(), checkClip, signal, onProgress } = options;
  const { retries: policy = defaultRetryPolicy } = options;
  const full = parseModelName(name, { needsOwner: true });
  const model: ModelRevision = { name: full, revision: revision ?? usualRevision(full) };
  const progress = new PullProgress(onProgress);
  const hub = new HubClient(access, { policy, signal, onWait: (reason, ms) => progress.waiting(reason, ms) });

  progress.phase("look up", 1);
  const commit = await hub.commitOf(model);
  const files = new Map((await hub.list(model, commit)).map((file) => [file.path, file]));
  return withInstallFolders(model.name, cache, async (folders) => {
    const downloader = new Downloader({
      folders,
      hashes: join(cache, "hashes"),
      progress,
      policy,
      signal,
      onProgress,
      start: (file, from) => hub.download(model, commit, file.path, from),
    });
    // The index comes first, because it tells the kind of model.
    const index = files.get("model_index.json") ?? files.get("config.json");
    if (index) await downloader.get([index]);
    const staging = (await openLocal(folders.staging)) as Folder;
    const kind = (await kindOf(staging)) ?? "diffusers folder";
    if (kind !== "CLIP") await checkPipeline(staging);
    const paths = [...files.keys()];
    const chosen = (kind === "CLIP" ? chooseClip : choosePipeline)(model.name, paths, variant);
    const small = chosen.small.map((path) => files.get(path)!);
    await downloader.get(small, SMALL_AT_ONCE);

    const weights = await weightFiles(chosen, paths, (path) => openLocalFile(join(folders.staging, path)));
    const large = weights.map((path) => files.get(path)!);
    progress.phase("download", totalSize(large));
    await downloader.get(large);

    const all = [...small, ...large];
    const record = { name: model.name, commit, ...(variant && { variant }) };
    const old = await readRecord(folders.final);
    const isSame = old?.commit === commit && old.variant === variant;
    if (isSame && downloader.allInstalled) await rm(folders.staging, { recursive: true, force: true });
    else {
      await removeOthers(folders.staging, new Set(all.map(({ path }) => path)));
      await install(folders, record, () => openOnce(staging, kind, {}, checkClip));
    }
    return {
      ...record,
      kind,
      path: folders.final,
      files: all.length,
      bytes: totalSize(all),
      moved: downloader.downloaded,
    };
  });
}

/** Removes files that an unfinished pull of another revision or variant left. */
async function removeOthers(folder: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && !wanted.has(relative(folder, path).replaceAll("\\", "/"))) await rm(path);
  }
}
