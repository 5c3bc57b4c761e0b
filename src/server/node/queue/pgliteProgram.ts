// Runs PGlite. As the program of a process: unpacks an empty data folder and ends, since the memory that this takes is then
// given back. As the program of a thread: answers statements, so that they never block the process's own event loop.
import { readFileSync } from "node:fs";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { brotliDecompressSync } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";
import type { Answer, Demand } from "./pgliteMessages.ts";
import { SyncedFolder, syncAll, syncedParams } from "./syncedFolder.ts";

/** A queue is small. Postgres's usual 128 MB of shared buffers would only cost memory. */
const settings = [
  "shared_buffers=2MB",
  "wal_buffers=256kB",
  "max_connections=4",
  "max_wal_size=32MB",
  "min_wal_size=32MB",
];
const startParams = syncedParams([...PGlite.defaultStartParams, ...settings.flatMap((s) => ["-c", s])]);

async function serve(folder: string, channels: readonly string[]): Promise<void> {
  const say = (answer: Answer): void => parentPort?.postMessage(answer);
  const fs = new SyncedFolder(folder);
  const database = await PGlite.create({ fs, startParams });
  fs.opened();
  for (const channel of channels) {
    await database.listen(channel, (payload) => say({ kind: "notice", channel, payload }));
  }
  parentPort?.on("message", async (demand: Demand) => {
    if (demand.kind === "close") {
      await database.close();
      parentPort?.close();
      return;
    }
    const { id, sql, values } = demand;
    try {
      const { rows } = await database.query(sql, [...values]);
      say({ kind: "rows", id, rows });
    } catch (error) {
      say({ kind: "refused", id, message: error instanceof Error ? error.message : String(error) });
    }
  });
  say({ kind: "ready" });
}

if (isMainThread) {
  const [, , folder, seed] = process.argv;
  const loadDataDir = new Blob([brotliDecompressSync(readFileSync(seed))]);
  await (await PGlite.create(folder, { loadDataDir, startParams })).close();
  syncAll(folder);
} else await serve(workerData.folder, workerData.channels);
