import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { z } from "zod";
import { CancelledError, EngineError, StorageError, throwIfCancelled, type Work } from "../../core/index.ts";
import { exists, readRegular, requireFolder, storageError, writeFileAtomic } from "../../storage/node/index.ts";
import { EDITIONS } from "../scene.ts";
import { checkSample, SPLITS } from "../split.ts";
import { picturesIn, SHARD_SIZE, type ShardSet, shardCount, shardFiles } from "./shard.ts";
import type { ShardJob, ShardReport } from "./shardWorker.ts";

// The compiled worker, both from src/world/node and from dist/world/node: Node 20 runs no TypeScript in a thread.
const WORKER = new URL("../../../dist/world/node/shardWorker.js", import.meta.url);

/** set.json of a folder: the set that it holds. */
const record = z.strictObject({
  edition: z.literal(EDITIONS).optional(),
  split: z.enum(SPLITS),
  combinations: z.enum(["seen", "held out"]).optional(),
  portraits: z.literal(true).optional(),
  count: z.int().positive(),
  seed: z.int().nonnegative(),
  size: z.int().positive(),
});
/** If these are equal, two sets differ in length alone: the shorter is the beginning of the longer. */
const identity = record.omit({ count: true }).keyof().options;

const MAX_RECORD_BYTES = 1 << 16;
const advice = "Choose another folder, or remove this one.";

/** Reads set.json. Undefined if there is none. Throws StorageError if it is damaged. */
async function readRecord(path: string): Promise<z.infer<typeof record> | undefined> {
  const text = await readRegular(path, MAX_RECORD_BYTES).then(String, (cause) => {
    if (cause.code === "ENOENT") return undefined;
    throw storageError("cannot be read", path, cause);
  });
  if (text === undefined) return undefined;
  try {
    return record.parse(JSON.parse(text));
  } catch (cause) {
    const found = text.slice(0, 100).trim() || "nothing";
    throw new StorageError("does not say which set the folder holds", { where: path, found, advice, cause });
  }
}

/**
 * Writes set.json. A folder holds one set. A set may grow: all its shards stay, except a last one that is not full. It may
 * not shrink, because readers take every shard that is there. Throws StorageError if the folder holds another set or more
 * of this one.
 */
async function claimFolder(folder: string, set: ShardSet): Promise<void> {
  const path = join(folder, "set.json");
  const { count } = set;
  await requireFolder(folder);
  const old = await readRecord(path);
  if (old) {
    const isSame = identity.every((key) => old[key] === set[key]);
    if (!isSame || count < old.count) {
      const problem = isSame ? "the folder holds more of this set" : "the folder holds another set";
      const [found, expected] = [JSON.stringify(old), JSON.stringify(set)];
      throw new StorageError(problem, { where: folder, found, expected, advice });
    }
    if (count > old.count && old.count % SHARD_SIZE !== 0) {
      await rm(shardFiles(folder, shardCount(old) - 1).pictures, { force: true });
    }
  }
  await writeFileAtomic(path, `${JSON.stringify(set)}\n`);
}

/**
 * Writes all shards of a set with several threads, and keeps those that are finished already. Returns the number of shards
 * written now. Throws UsageError if no such scenes exist, StorageError if the folder holds another set or cannot be
 * written, EngineError if a thread fails, CancelledError.
 */
export async function writeShards(
  set: ShardSet,
  folder: string,
  threads: number,
  { onProgress, signal }: Work = {},
): Promise<number> {
  throwIfCancelled(signal, "the shards");
  checkSample(set);
  await claimFolder(folder, set);
  const all = Array.from({ length: shardCount(set) }, (_, i) => i);
  const isFinished = await Promise.all(all.map((i) => exists(shardFiles(folder, i).pictures)));
  const queue = all.filter((i) => !isFinished[i]);
  const written = queue.length;
  let done = all.filter((i) => isFinished[i]).reduce((n, i) => n + picturesIn(set, i), 0);
  const tell = (): void => onProgress?.({ phase: "render", done, total: set.count });
  tell();

  const job: ShardJob = { set, folder };
  const pool = Array.from({ length: Math.min(threads, written) }, () => new Worker(WORKER, { workerData: job }));
  const workOff = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = (): void => {
        const index = queue.shift();
        if (index === undefined) resolve();
        else worker.postMessage(index);
      };
      worker.on("message", (report: ShardReport) => {
        if (report.kind === "failed") reject(storageError("cannot write a shard", folder, report.error));
        else if (report.kind === "done") next();
        else {
          done++;
          tell();
        }
      });
      worker.on("error", (cause) => reject(new EngineError("a render thread failed", { cause, found: cause.message })));
      signal?.addEventListener("abort", () => reject(new CancelledError("the shards")), { once: true });
      next();
    });
  try {
    await Promise.all(pool.map(workOff));
  } finally {
    await Promise.all(pool.map((worker) => worker.terminate()));
  }
  return written;
}
