import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where things that can be made again are kept: $BARET_CACHE, else the platform's place for caches
 * ($XDG_CACHE_HOME/baret or ~/.cache/baret on Linux).
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  if (env.BARET_CACHE) return env.BARET_CACHE;
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, "baret");
  if (platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "baret", "Cache");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "baret");
  return join(homedir(), ".cache", "baret");
}
