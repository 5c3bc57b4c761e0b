import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { mayBeInUse } from "../../storage/node/index.ts";

/**
 * Removes what killed processes of this user left in a folder, under names of `uniqueName(prefix)`. Names of running processes
 * stay, and what cannot be removed.
 */
export async function removeAbandoned(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`${prefix}.`) || (await mayBeInUse(folder, name))) continue;
    const path = join(folder, name);
    // In a folder that all users share, others may make such names too.
    const isOwn = await lstat(path).then(
      ({ uid }) => uid === process.getuid?.() || process.getuid === undefined,
      () => false,
    );
    if (isOwn) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}
