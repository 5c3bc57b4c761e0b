// The queue of jobs, in a Postgres database: a server's, which many machines can share, or PGlite's in a folder of this machine.
// Knows of: requests and jobs as data, Postgres.
// Does not know of: HTTP, photos, models, how a job is run.
import type { z } from "zod";
import type { JobQueue } from "../../queue.ts";
import { DatabaseQueue } from "./databaseQueue.ts";
import { openPglite } from "./pglite.ts";
import { openPostgres } from "./postgres.ts";
import { queueSettings } from "./settings.ts";

export { requireUnlocked } from "./folderLock.ts";
export { queueSettings } from "./settings.ts";

/** Where a queue is, and what differs from the usual settings. */
export type QueueOptions = (
  | { /** postgres://USER:PASSWORD@HOST:PORT/DATABASE. */ readonly database: string }
  | { /** A folder for this process alone. It is made if it does not exist. */ readonly folder: string }
) & { readonly settings?: z.input<typeof queueSettings> };

/**
 * Opens a queue. Throws StorageError if the database cannot be reached or was made by a newer baret, or if another process has
 * the folder.
 */
export function openQueue(options: QueueOptions): Promise<JobQueue> {
  const settings = queueSettings.parse(options.settings ?? {});
  return DatabaseQueue.open(
    (listener) =>
      "database" in options ? openPostgres(options.database, listener) : openPglite(options.folder, listener),
    settings,
  );
}
