import { open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CheckpointError, StorageError, type Work } from "../../core/index.ts";
import { openCheckpoint, predictions } from "../../weights/index.ts";
import { syncFolder, writeFileAtomic } from "../atomic.ts";
import { storageError } from "../failures.ts";
import { exists, openLocal } from "../files.ts";
import { makeFolder } from "../folders.ts";
import { lock } from "../lock.ts";
import { cacheFolder } from "../places.ts";
import { readRegular } from "../regular.ts";
import { otherDisk } from "../space.ts";
import { folderName } from "./names.ts";

const schema = z.object({
  /** "owner/name", as the user calls it. */
  name: z.string(),
  /** The commit on the hub. Absent where the model was copied from a folder. */
  commit: z.string().optional(),
  variant: z.string().optional(),
  /** What the U-Net predicts, where the files do not say and the user did. */
  prediction: z.enum(predictions).optional(),
});

/** What is known of an installed model beyond its own files. */
export type InstalledRecord = z.infer<typeof schema>;

const recordName = "baret.json";
const MAX_RECORD_BYTES = 1 << 16;

/** The record in a model's folder. Undefined where there is none that can be read. */
export async function readRecord(folder: string): Promise<InstalledRecord | undefined> {
  try {
    return schema.parse(JSON.parse((await readRegular(join(folder, recordName), MAX_RECORD_BYTES)).toString()));
  } catch {
    return undefined;
  }
}

/** Where pulled models are kept: a folder each. */
export const modelsFolder = (cache: string = cacheFolder()): string => join(cache, "models");

/** A model that is being put together beside its final place. */
export interface Site {
  /** Where to write. What an earlier, unfinished work left is still there. */
  readonly staging: string;
  /** Where it will be. A model of this name may be there now. */
  readonly final: string;
}

export interface InstallOptions extends Work {
  /** The cache's folder. */
  cache?: string;
}

/** A model that is in its place now. */
export interface InstalledModel extends InstalledRecord {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** Bytes that had to be fetched or copied for it now. */
  readonly moved: number;
}

/**
 * Runs `build`, which fills `staging`, for one model at a time. Throws StorageError where another process is at it.
 * When `build` fails, staging is kept, so that it can go on later; where it finds no model to build, nothing is left of
 * what it began, but what was there before stays.
 */
export async function atSite<T>(name: string, cache: string, build: (site: Site) => Promise<T>): Promise<T> {
  const models = modelsFolder(cache);
  const folder = folderName(name);
  const site = { staging: join(models, `.${folder}.partial`), final: join(models, folder) };
  try {
    const release = await lock(join(models, `.${folder}.lock`));
    if (!release) {
      throw new StorageError("another process is pulling this model", {
        where: site.final,
        advice: "Wait until it is finished, or stop it.",
      });
    }
    const begunBefore = await exists(site.staging);
    try {
      await makeFolder(site.staging);
      return await build(site);
    } catch (error) {
      if (error instanceof CheckpointError && !begunBefore) await rm(site.staging, { recursive: true, force: true });
      throw error;
    } finally {
      await release();
    }
  } catch (cause) {
    throw storageError("a model cannot be put here", models, cause, otherDisk);
  }
}

/**
 * Gives a complete model its name, in place of an older one, after it was opened once. One that does not open is removed:
 * throws CheckpointError. `opens` is what to open within the folder: itself, or its single file.
 */
export async function install({ staging, final }: Site, record: InstalledRecord, opens = ""): Promise<void> {
  await openCheckpoint(await openLocal(join(staging, opens)), { prediction: record.prediction }).catch(
    async (error) => {
      if (error instanceof CheckpointError) await rm(staging, { recursive: true, force: true });
      throw error;
    },
  );
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

/** Makes everything below a folder last through a power cut. */
async function syncAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return syncAll(path);
      const file = await open(path, "r+");
      await file.sync().finally(() => file.close());
    }),
  );
  await syncFolder(folder);
}
