import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { CheckpointError, checkArguments, type Picture, StorageError, someText } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import { modelHash } from "../../diffusion/node/index.ts";
import { checkMemory } from "../../runtime/node/index.ts";
import {
  endOfLinks,
  exists,
  lock,
  openLocalFile,
  storageError,
  version,
  writeFileAtomic,
} from "../../storage/node/index.ts";
import type { Method } from "../method.ts";
import { bytesOfPlan, keyOf, type PrepareInput, type PrepareWork, planOf, prepare } from "../prepare.ts";
import { decodePrepared, encodePrepared, isComplete, type KnownOrigin, type Prepared } from "../prepared/index.ts";
import type { PreparedCache } from "./cache.ts";

/** SHA-256 of a picture's size and pixels, as hexadecimal digits. */
export const pictureHash = ({ width, height, data }: Picture): string =>
  createHash("sha256").update(`${width}x${height}\n`).update(data).digest("hex");

const readArguments = z.object({ path: someText });

/** Reads a file of a prepared photo, finished or not. Throws StorageError if there is none, or if it is damaged; UsageError. */
export async function readPrepared(path: string): Promise<Prepared> {
  checkArguments("readPrepared", readArguments, { path });
  const source = await openLocalFile(path).catch((cause: unknown) => {
    if (!(cause instanceof CheckpointError)) throw cause;
    throw storageError("the file cannot be read", path, cause.cause);
  });
  return decodePrepared(source);
}

/** Where a prepared value is kept after every step, and gone on with if it is there unfinished. */
export interface Keeping {
  /** A file of the caller's. It wins over the cache. */
  readonly file?: string;
  readonly cache?: PreparedCache;
}

/**
 * Runs `work`, which writes a file after every step, while no other work writes it. Throws StorageError if another one
 * does: of two values in one file, one would be lost.
 */
async function aloneAt<T>(file: string, work: () => Promise<T>): Promise<T> {
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

/**
 * Prepares a picture (at the size to work at), or takes what file or cache have of it. Throws StorageError if the file
 * holds other work, or if another call or process is writing it, MemoryError if the tensors are larger than the free memory.
 */
export async function prepareKept(
  method: Method,
  model: Model,
  picture: Picture,
  input: PrepareInput,
  { file, cache }: Keeping,
  work: Pick<PrepareWork, "onProgress" | "signal"> = {},
): Promise<Prepared> {
  const origin: KnownOrigin = {
    model: await modelHash(model, work),
    picture: pictureHash(picture),
    versions: { baret: version },
  };
  const plan = planOf(method, model, picture, input, origin);
  checkMemory(bytesOfPlan(method, plan), "the prepared photo");
  const run = (more: PrepareWork): Promise<Prepared> =>
    prepare(method, model, picture, input, origin, { ...work, ...more });
  if (file === undefined) return cache ? cache.during(keyOf(plan), run) : run({});
  const there = async (): Promise<Prepared | undefined> => ((await exists(file)) ? readPrepared(file) : undefined);
  const found = await there();
  if (found && isComplete(found)) return run({ resume: found, where: file });
  return aloneAt(file, async () =>
    run({
      resume: await there(),
      where: file,
      onStep: (prepared) => writeFileAtomic(file, encodePrepared(prepared), { signal: work.signal }),
    }),
  );
}
