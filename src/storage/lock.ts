import { open, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "./failures.ts";
import { makeFolder } from "./folders.ts";
import { makerLives, ownName } from "./owner.ts";
import { readRegular } from "./regular.ts";

/** How often a lock that is held is renewed. */
const renewalMs = 5000;
/** A lock that was not renewed for so long is nobody's: process ids are used again, so a living process proves nothing. */
const staleMs = 4 * renewalMs;
const MAX_BYTES = 4096;

/** The inode of a lock that its holder has left behind; undefined if somebody holds it, or if it is gone meanwhile. */
async function staleInode(path: string): Promise<bigint | undefined> {
  try {
    const { mtimeMs, ino } = await stat(path, { bigint: true });
    const holder = (await readRegular(path, MAX_BYTES)).toString();
    const fresh = Date.now() - Number(mtimeMs) < staleMs;
    return fresh && (holder === "" || makerLives(holder) !== false) ? undefined : ino;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Takes a lock away that was stale a moment ago. Puts it back if another process has renewed it since. */
async function removeStale(path: string, ino: bigint): Promise<void> {
  const aside = ownName(path);
  try {
    await rename(path, aside);
    if ((await stat(aside, { bigint: true })).ino === ino) await rm(aside, { force: true });
    else await rename(aside, path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/**
 * Makes this caller the only holder of a lock file, seen by every process that shares the disk. Returns a function that
 * lets go of it; undefined if somebody else holds it. A holder that was killed loses it. Throws the system's error if the
 * file cannot be made.
 */
export async function lock(path: string): Promise<(() => Promise<void>) | undefined> {
  await makeFolder(dirname(path));
  for (;;) {
    try {
      const file = await open(path, "wx");
      await file.writeFile(ownName("")).finally(() => file.close());
      break;
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      const ino = await staleInode(path);
      if (ino === undefined && (await stat(path).catch(() => undefined))) return undefined;
      if (ino !== undefined) await removeStale(path, ino);
    }
  }
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, renewalMs).unref();
  return async () => {
    clearInterval(renewal);
    await rm(path, { force: true });
  };
}
