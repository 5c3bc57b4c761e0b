import { open, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFolder } from "./folders.ts";
import { isMakerRunning, uniqueName } from "./owner.ts";
import { readRegular } from "./regular.ts";
import { codeOf } from "./systemErrors.ts";

/** Time between two renewals of a lock. */
const renewalMs = 5000;
/** A lock that was not renewed for this long is free. Its process id proves nothing, because ids are reused. */
const staleMs = 4 * renewalMs;
/** Whoever takes over a stale lock waits this long, until all others who saw it stale have tried. The last one holds it. */
const settleMs = 200;
const MAX_BYTES = 4096;

/** Holder of a lock file, and when it was last renewed. Undefined if the file does not exist. */
async function holderOf(path: string): Promise<{ name: string; renewed: number } | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    return { name: (await readRegular(path, MAX_BYTES)).toString(), renewed: mtimeMs };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Makes a lock file. Returns false if it exists. */
async function create(path: string, holder: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(holder).finally(() => file.close());
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Replaces the holder of a stale lock. Returns false if another process did so later. */
async function takeOver(path: string, holder: string): Promise<boolean> {
  const replacement = `${path}${holder}`;
  await writeFile(replacement, holder);
  await rename(replacement, path);
  await sleep(settleMs);
  return (await holderOf(path))?.name === holder;
}

async function acquire(path: string, holder: string): Promise<boolean> {
  while (!(await create(path, holder))) {
    const other = await holderOf(path);
    if (!other) continue;
    const { name, renewed } = other;
    const isFresh = Date.now() - renewed < staleMs;
    // An empty lock file is being made at this moment.
    return isFresh && (name === "" || isMakerRunning(name) !== false) ? false : takeOver(path, holder);
  }
  return true;
}

/**
 * Takes a lock file that all processes sharing the disk respect. Returns a function that frees it, or undefined if another
 * caller holds it. The lock of a killed process is free. Throws the system's error if the file cannot be made.
 */
export async function lock(path: string): Promise<(() => Promise<void>) | undefined> {
  await makeFolder(dirname(path));
  const holder = uniqueName("");
  if (!(await acquire(path, holder))) return undefined;
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, renewalMs).unref();
  return async () => {
    clearInterval(renewal);
    if ((await holderOf(path))?.name === holder) await rm(path, { force: true });
  };
}
