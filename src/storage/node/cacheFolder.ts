import { homedir, userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { StorageError } from "../../core/index.ts";

/** Returns the user's home folder: $HOME if it is an absolute path, otherwise the one that the system's user database names. */
function homeFolder(): string {
  if (isAbsolute(homedir())) return homedir();
  try {
    return userInfo().homedir;
  } catch (cause) {
    throw new StorageError("the user has no home folder", {
      where: "HOME",
      found: JSON.stringify(homedir()),
      expected: "an absolute path",
      advice: "Set BARET_CACHE and BARET_DATA to folders where this user may write.",
      cause,
    });
  }
}

/**
 * Returns the folder for files that can be made again, as an absolute path: $BARET_CACHE, otherwise the platform's cache folder
 * ($XDG_CACHE_HOME/baret or ~/.cache/baret on Linux). A relative XDG_CACHE_HOME is ignored, as its specification demands. Throws
 * StorageError if the user has no home folder.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  if (env.BARET_CACHE) return resolve(env.BARET_CACHE);
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return join(env.XDG_CACHE_HOME, "baret");
  if (platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "baret", "Cache");
  if (platform === "darwin") return join(homeFolder(), "Library", "Caches", "baret");
  return join(homeFolder(), ".cache", "baret");
}

/**
 * Returns the folder for files that cannot be made again, such as a server's queue and its results, as an absolute path:
 * $BARET_DATA, otherwise the platform's data folder ($XDG_DATA_HOME/baret or ~/.local/share/baret on Linux). Throws StorageError
 * if the user has no home folder.
 */
export function dataFolder(env: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  if (env.BARET_DATA) return resolve(env.BARET_DATA);
  if (env.XDG_DATA_HOME && isAbsolute(env.XDG_DATA_HOME)) return join(env.XDG_DATA_HOME, "baret");
  if (platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "baret", "Data");
  if (platform === "darwin") return join(homeFolder(), "Library", "Application Support", "baret");
  return join(homeFolder(), ".local", "share", "baret");
}
