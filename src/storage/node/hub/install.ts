import { open as openFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CheckpointError, StorageError, type Work } from "../../../core/index.ts";
import {
  type ByteSource,
  type Folder,
  type OpenOptions,
  openCheckpoint,
  openModelFolder,
  predictions,
} from "../../../weights/index.ts";
import { syncFolder, writeFileAtomic } from "../atomic.ts";
import { cacheFolder } from "../cacheFolder.ts";
import { exists } from "../files.ts";
import { makeFolder } from "../folders.ts";
import { lock } from "../lock.ts";
import type { ModelKind } from "../modelKind.ts";
import { readRegular } from "../regular.ts";
import { otherDisk } from "../space.ts";
import { storageError } from "../systemErrors.ts";
import { folderName } from "./names.ts";

const schema = z.object({
  /** "owner/name". */
  name: z.string(),
  /** Commit on the hub. Absent if the model was copied from a folder. */
  commit: z.string().optional(),
  variant: z.string().optional(),
  /** Prediction type of the U-Net, if the user gave it because the files do not tell. */
  prediction: z.enum(predictions).optional(),
});

/** Facts about an installed model that its files do not hold. */
export type InstalledRecord = z.infer<typeof schema>;

const recordName = "baret.json";
const MAX_RECORD_BYTES = 1 << 16;

/** Reads the record in a model's folder. Undefined if there is none or if it is damaged. */
export async function readRecord(folder: string): Promise<InstalledRecord | undefined> {
  try {
    return schema.parse(JSON.parse((await readRegular(join(folder, recordName), MAX_RECORD_BYTES)).toString()));
  } catch {
    return undefined;
  }
}

/** Folder of pulled models. Each has a folder of its own in it. */
export const modelsFolder = (cache: string = cacheFolder()): string => join(cache, "models");

/** The two folders of an installation. */
export interface InstallFolders {
  /** Write the files here. Files of an earlier, unfinished installation are still in it. */
  readonly staging: string;
  /** The complete model moves here. It may hold an older model of this name until then. */
  readonly final: string;
}

export interface InstallOptions extends Work {
  /** The cache's folder. */
  cache?: string;
  /** Throws CheckpointError if a folder is no CLIP model that baret can use. Default: configuration and headers are read. */
  checkClip?: (folder: Folder) => Promise<unknown>;
}

/** A model that was just installed. */
export interface InstalledModel extends InstalledRecord {
  readonly kind: ModelKind;
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** Bytes that were downloaded or copied now. The rest was on disk. */
  readonly moved: number;
}

/**
 * Runs `build`, which fills the staging folder, while no other process installs the same model. If `build` fails, staging
 * is kept, so that a later call can resume. If it fails with a CheckpointError, staging is removed, unless it existed
 * before. Throws StorageError if another process is installing this model, or if the disk cannot be written.
 */
export async function withInstallFolders<T>(
  name: string,
  cache: string,
  build: (folders: InstallFolders) => Promise<T>,
): Promise<T> {
  const models = modelsFolder(cache);
  const folder = folderName(name);
  const folders = { staging: join(models, `.${folder}.partial`), final: join(models, folder) };
  try {
    const release = await lock(join(models, `.${folder}.lock`));
    if (!release) {
      throw new StorageError("another process is installing this model", {
        where: folders.final,
        advice: "Wait until it is finished, or stop it.",
      });
    }
    const existedBefore = await exists(folders.staging);
    try {
      await makeFolder(folders.staging);
      return await build(folders);
    } catch (error) {
      if (error instanceof CheckpointError && !existedBefore)
        await rm(folders.staging, { recursive: true, force: true });
      throw error;
    } finally {
      await release();
    }
  } catch (cause) {
    throw storageError("the model cannot be installed here", models, cause, otherDisk);
  }
}

/** Opens a model: reads configurations and headers. Throws CheckpointError if baret cannot use it. */
export async function openOnce(
  place: Folder | ByteSource,
  kind: ModelKind | undefined,
  options: OpenOptions,
  checkClip: InstallOptions["checkClip"] = (folder) => openModelFolder(folder, options),
): Promise<void> {
  if (kind === "CLIP" && "list" in place) await checkClip(place);
  else await openCheckpoint(place, options);
}

/**
 * Opens the complete model in staging once, then moves it to its final folder in place of an older one. If it does not
 * open, removes it and throws CheckpointError. open: opens staging.
 */
export async function install(
  { staging, final }: InstallFolders,
  record: InstalledRecord,
  open: () => Promise<unknown>,
): Promise<void> {
  await open().catch(async (error) => {
    if (error instanceof CheckpointError) await rm(staging, { recursive: true, force: true });
    throw error;
  });
  await writeFileAtomic(join(staging, recordName), `${JSON.stringify(record, undefined, 2)}\n`);
  await syncAll(staging);
  const old = join(staging, "..", `.${folderName(record.name)}.old`);
  await rm(old, { recursive: true, force: true });
  await rename(final, old).catch((error) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(staging, final);
  await syncFolder(join(final, ".."));
  await rm(old, { recursive: true, force: true });
}

/** Writes everything below a folder to the disk, so that it survives a power cut. */
async function syncAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return syncAll(path);
      const file = await openFile(path, "r+");
      await file.sync().finally(() => file.close());
    }),
  );
  await syncFolder(folder);
}
