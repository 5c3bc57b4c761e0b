import { parentPort, workerData } from "node:worker_threads";
import { type ShardSet, writeShard } from "./shard.ts";

/** Data that a worker thread is started with. */
export interface ShardJob {
  readonly set: ShardSet;
  readonly folder: string;
}

/** Message of a worker: one more picture, a finished shard, or an error. A worker receives the number of a shard to make. */
export type ShardReport = { kind: "picture" } | { kind: "done" } | { kind: "failed"; error: Error };

const { set, folder } = workerData as ShardJob;
const report = (message: ShardReport): void => parentPort?.postMessage(message);

parentPort?.on("message", async (index: number) => {
  try {
    await writeShard(set, index, folder, () => report({ kind: "picture" }));
    report({ kind: "done" });
  } catch (error) {
    report({ kind: "failed", error: error as Error });
  }
});
