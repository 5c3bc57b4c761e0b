import { homedir, userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { StorageError } from "../core/index.ts";

/** The user's own folder: $HOME if it is a place that can be found again from any working folder, else the system's word. */
function homeFolder(): string {
  if (isAbsolute(homedir())) return homedir();
  try {
    return userInfo().homedir;
  } catch (cause) {
    throw new StorageError("the user has no home folder", {
      where: "HOME",
      found: JSON.stringify(homedir()),
      expected: "an absolute path",
      advice: "Set BARET_CACHE to a folder where this user may write.",
      cause,
    });
  }
}

/**
 * Folder for things that can be made again: $BARET_CACHE, else the platform's place for caches ($XDG_CACHE_HOME/baret or
 * ~/.cache/baret on Linux). Always an absolute path. As their specification says, a relative XDG_CACHE_HOME is ignored.
 * Throws StorageError if there is no such place.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  if (env.BARET_CACHE) return resolve(env.BARET_CACHE);
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return join(env.XDG_CACHE_HOME, "baret");
  if (platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "baret", "Cache");
  if (platform === "darwin") return join(homeFolder(), "Library", "Caches", "baret");
  return join(homeFolder(), ".cache", "baret");
}
