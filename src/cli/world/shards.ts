import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { z } from "zod";
import { CancelledError, EngineError, StorageError, throwIfCancelled, type Work } from "../../core/index.ts";

import { exists, readRegular, requireFolder, storageError, writeFileAtomic } from "../../storage/node.ts";
import { EDITIONS, SPLITS } from "../../world/index.ts";

import { SHARD_SIZE, type ShardSet, shardCount, shardFiles } from "./shard.ts";
import type { ShardJob, ShardReport } from "./shardWorker.ts";

// The compiled worker, from src/cli/world as from dist/cli/world: Node 20 does not run TypeScript in a thread.
const WORKER = new URL("../../../dist/cli/world/shardWorker.js", import.meta.url);

const record = z.strictObject({
  edition: z.literal(EDITIONS).optional(),
  split: z.enum(SPLITS),
  combinations: z.enum(["seen", "held out"]).optional(),
  portraits: z.literal(true).optional(),
  count: z.int().positive(),
  seed: z.int().nonnegative(),
  size: z.int().positive(),
});
/** What makes two sets the same one, made to different lengths. */
const identity = record.omit({ count: true }).keyof().options;

const MAX_RECORD_BYTES = 1 << 16;

/** The set that a folder holds, as its set.json tells. Throws StorageError where that is damaged. */
async function heldSet(path: string): Promise<z.infer<typeof record> | undefined> {
  const text = await readRegular(path, MAX_RECORD_BYTES).then(String, (cause) => {
    if (cause.code === "ENOENT") return undefined;
    throw storageError("cannot be read", path, cause);
  });
  if (text === undefined) return undefined;
  try {
    return record.parse(JSON.parse(text));
  } catch (cause) {
    throw new StorageError("does not tell which set the folder holds", {
      where: path,
      found: text.slice(0, 100).trim() || "nothing",
      advice: "Choose another folder, or remove this one.",
      cause,
    });
  }
}

/**
 * Notes what the folder holds; refuses to mix two sets in one folder. A larger `count` of the same set is welcome: all
 * shards stay but a last one that is not full. A smaller one is not, since readers take every shard that is there.
 */
async function claim(out: string, set: ShardSet): Promise<void> {
  const path = join(out, "set.json");
  const { count } = set;
  await requireFolder(out);
  const old = await heldSet(path);
  if (old) {
    const same = identity.every((key) => old[key] === set[key]);
    if (!same || count < old.count) {
      throw new StorageError(same ? "the folder holds more of this set" : "the folder holds another set", {
        where: out,
        found: JSON.stringify(old),
        expected: JSON.stringify(set),
        advice: "Choose another folder, or remove this one.",
      });
    }
    if (count > old.count && old.count % SHARD_SIZE !== 0) {
      await rm(shardFiles(out, shardCount(old) - 1).pictures, { force: true });
    }
  }
  await writeFileAtomic(path, `${JSON.stringify(set)}\n`);
}

/**
 * Makes all shards of a set in `out` with `workers` threads; finished shards are kept. Resolves to the number of shards
 * made now. Throws StorageError where `out` holds another set or cannot be written, CancelledError when told to stop.
 */
export async function writeShards(
  set: ShardSet,
  out: string,
  workers: number,
  { onProgress, signal }: Work = {},
): Promise<number> {
  throwIfCancelled(signal, "the shards");
  await claim(out, set);
  const all = Array.from({ length: shardCount(set) }, (_, i) => i);
  const finished = await Promise.all(all.map((i) => exists(shardFiles(out, i).pictures)));
  const queue = all.filter((i) => !finished[i]);
  const made = queue.length;
  const pictures = (i: number): number => Math.min(SHARD_SIZE, set.count - i * SHARD_SIZE);
  let done = all.filter((i) => finished[i]).reduce((n, i) => n + pictures(i), 0);
  const tell = (): void => onProgress?.({ phase: "render", done, total: set.count });
  tell();
  if (made === 0) return 0;

  const job: ShardJob = { set, out };
  const pool = Array.from({ length: Math.min(workers, made) }, () => new Worker(WORKER, { workerData: job }));
  try {
    await Promise.all(
      pool.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            const next = (): void => {
              const index = queue.shift();
              if (index === undefined) resolve();
              else worker.postMessage(index);
            };
            worker.on("message", (report: ShardReport) => {
              if (report.kind === "failed") reject(storageError("cannot write a shard", out, report.error));
              else if (report.kind === "done") next();
              else {
                done++;
                tell();
              }
            });
            worker.on("error", (cause) =>
              reject(new EngineError("a render thread failed", { cause, found: cause.message })),
            );
            signal?.addEventListener("abort", () => reject(new CancelledError("the shards")), { once: true });
            next();
          }),
      ),
    );
  } finally {
    await Promise.all(pool.map((worker) => worker.terminate()));
  }
  return made;
}
