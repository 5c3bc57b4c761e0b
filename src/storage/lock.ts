import { open, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "./failures.ts";
import { makeFolder } from "./folders.ts";
import { makerLives, ownName } from "./owner.ts";
import { readRegular } from "./regular.ts";

/** How often a lock that is held is renewed. */
const renewalMs = 5000;
/** A lock that was not renewed for so long is nobody's: process ids are used again, so a living process proves nothing. */
const staleMs = 4 * renewalMs;
/** Who takes over a stale lock waits so long, until all who saw it stale have tried: the last one has it. */
const settleMs = 200;
const MAX_BYTES = 4096;

/** The name in a lock file, and when it was last renewed. Undefined if there is none. */
async function holderOf(path: string): Promise<{ name: string; renewed: number } | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    return { name: (await readRegular(path, MAX_BYTES)).toString(), renewed: mtimeMs };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Makes a lock file that is not there yet. False if it is. */
async function create(path: string, own: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(own).finally(() => file.close());
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Puts the own name in the place of one that is stale. False if another process did so too, and later. */
async function takeOver(path: string, own: string): Promise<boolean> {
  const successor = `${path}${own}`;
  await writeFile(successor, own);
  await rename(successor, path);
  await sleep(settleMs);
  return (await holderOf(path))?.name === own;
}

async function acquire(path: string, own: string): Promise<boolean> {
  while (!(await create(path, own))) {
    const holder = await holderOf(path);
    if (!holder) continue;
    const { name, renewed } = holder;
    const fresh = Date.now() - renewed < staleMs;
    // Without a name yet, it is just being made.
    return fresh && (name === "" || makerLives(name) !== false) ? false : takeOver(path, own);
  }
  return true;
}

/**
 * Makes this caller the only holder of a lock file, seen by every process that shares the disk. Returns a function that
 * lets go of it; undefined if somebody else holds it. A holder that was killed loses it. Throws the system's error if the
 * file cannot be made.
 */
export async function lock(path: string): Promise<(() => Promise<void>) | undefined> {
  await makeFolder(dirname(path));
  const own = ownName("");
  if (!(await acquire(path, own))) return undefined;
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, renewalMs).unref();
  return async () => {
    clearInterval(renewal);
    if ((await holderOf(path))?.name === own) await rm(path, { force: true });
  };
}
