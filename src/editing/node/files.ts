import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { CheckpointError, checkArguments, StorageError, someText } from "../../core/index.ts";
import type { Trajectories } from "../../inversion/index.ts";
import { endOfLinks, exists, lock, openLocalFile, storageError, writeFileAtomic } from "../../storage/node/index.ts";
import type { ByteSource } from "../../weights/index.ts";
import { withTarget } from "../prepare.ts";
import {
  decodeHeader,
  decodePrepared,
  type Header,
  isComplete,
  type Prepared,
  preparedPieces,
} from "../prepared/index.ts";
import type { PreparedStore } from "../preparedStore.ts";

const readArguments = z.object({ path: someText });

/** Reads a file of a prepared photo, finished or not. Throws StorageError if there is none, or if it is damaged; UsageError. */
export async function readPrepared(path: string): Promise<Prepared> {
  checkArguments("readPrepared", readArguments, { path });
  return decodePrepared(await openPreparedFile(path));
}

const openPreparedFile = (path: string): Promise<ByteSource> =>
  openLocalFile(path).catch((cause: unknown) => {
    if (!(cause instanceof CheckpointError)) throw cause;
    throw storageError("the file cannot be read", path, cause.cause);
  });

/** Reads the header of a file of a prepared photo, and none of its tensors. Throws StorageError. */
export const readPreparedHeader = async (path: string): Promise<Header> => decodeHeader(await openPreparedFile(path));

/**
 * Runs `work`, which writes a file after every step, with a lock on the file. Throws StorageError if another process or
 * call holds the lock, since each would overwrite the value of the other.
 */
async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const release = await endOfLinks(file)
    .then((end) => lock(join(dirname(end), `.${basename(end)}.lock`)))
    .catch((cause) => {
      throw storageError("cannot be written", file, cause);
    });
  if (!release) {
    throw new StorageError("another process is writing this file", {
      where: file,
      advice: "Wait until it is finished, or choose another file.",
    });
  }
  return work().finally(release);
}

export interface PreparedFileOptions {
  /** Shortest time between two writes of an unfinished value without weights, in milliseconds. Default 0. */
  readonly everyMs?: number;
  readonly trajectories?: Trajectories;
}

/**
 * Returns a store of one prepared photo in a file of the caller's. Its functions throw StorageError if the file is damaged, or
 * if another process or call is writing it.
 */
export function preparedFile(file: string, { everyMs = 0, trajectories }: PreparedFileOptions = {}): PreparedStore {
  const find = async (): Promise<Prepared | undefined> => ((await exists(file)) ? readPrepared(file) : undefined);
  return {
    where: file,
    trajectories,
    find,
    during: async (_, prepare, { signal } = {}) => {
      const found = await find();
      if (found && isComplete(found)) return prepare({ resume: found, where: file });
      let written = Number.NEGATIVE_INFINITY;
      const onStep = async (prepared: Prepared): Promise<void> => {
        const isSoon = performance.now() < written + everyMs;
        if (isSoon && !isComplete(prepared) && !prepared.weights) return;
        await writeFileAtomic(file, preparedPieces(prepared), { signal });
        written = performance.now();
      };
      const prepared = await withLock(file, async () => prepare({ resume: await find(), where: file, onStep }));
      // Weights stay in the file, not in memory.
      return prepared.weights ? withTarget(await readPrepared(file), prepared.target) : prepared;
    },
  };
}
