import { parentPort, workerData } from "node:worker_threads";
import { type ShardSet, writeShard } from "./shard.ts";

/** What a worker is started with. */
export interface ShardJob {
  readonly set: ShardSet;
  readonly out: string;
}

/** What a worker says: one more picture, a finished shard, or why it failed. It is sent the number of a shard to make. */
export type ShardReport = { kind: "picture" } | { kind: "done" } | { kind: "failed"; error: Error };

const { set, out } = workerData as ShardJob;
const report = (message: ShardReport): void => parentPort?.postMessage(message);

parentPort?.on("message", async (index: number) => {
  try {
    await writeShard(set, index, out, () => report({ kind: "picture" }));
    report({ kind: "done" });
  } catch (error) {
    report({ kind: "failed", error: error as Error });
  }
});
