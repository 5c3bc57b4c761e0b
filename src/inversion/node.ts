import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { CheckpointError, checkArguments, type Picture, StorageError, someText, type Work } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { modelHash } from "../diffusion/node.ts";
import { checkMemory } from "../runtime/node.ts";
import {
  endOfLinks,
  exists,
  lock,
  openLocalFile,
  sha256,
  storageError,
  version,
  writeFileAtomic,
} from "../storage/node.ts";
import { decodeInversion, encodeInversion } from "./file.ts";
import { type Inversion, isComplete } from "./inversion.ts";
import { bytesOfInversion, inversionKey, invert } from "./invert.ts";
import type { InversionOptions } from "./options.ts";
import type { Shelf } from "./shelf.ts";

export { Shelf } from "./shelf.ts";

/** SHA-256 of a picture's size and pixels, as hexadecimal digits. */
export const pictureHash = ({ width, height, data }: Picture): string =>
  createHash("sha256").update(`${width}x${height}\n`).update(data).digest("hex");

const readArguments = z.object({ path: someText });

/** Reads an inversion file, finished or not. Throws StorageError if there is none, or if it is damaged; UsageError. */
export async function readInversion(path: string): Promise<Inversion> {
  checkArguments("readInversion", readArguments, { path });
  const source = await openLocalFile(path).catch((cause: unknown) => {
    if (!(cause instanceof CheckpointError)) throw cause;
    throw storageError("the inversion file cannot be read", path, cause.cause);
  });
  return decodeInversion(source);
}

export interface PrepareOptions extends InversionOptions {
  target: string;
  /** Where the inversion is kept after every step, and gone on with when it is there unfinished. */
  file?: string;
  /** Where it is kept when no file is asked for: what is there already is not computed again. */
  shelf?: Shelf;
}

/**
 * Runs `work`, which writes an inversion file after every step, while no other work writes it. Throws StorageError if
 * another one does: of two inversions in one file, one would be lost.
 */
async function aloneAt<T>(file: string, work: () => Promise<T>): Promise<T> {
  const release = await endOfLinks(file)
    .then((end) => lock(join(dirname(end), `.${basename(end)}.lock`)))
    .catch((cause) => {
      throw storageError("cannot be written", file, cause);
    });
  if (!release) {
    throw new StorageError("another inversion is being written to this file", {
      where: file,
      advice: "Wait until it is finished, or choose another file.",
    });
  }
  return work().finally(release);
}

/**
 * Inverts a picture (at the size to work at) towards a target prompt, or takes what `file` or `shelf` has of it. Throws
 * StorageError if the file holds another inversion, or if another call or process is writing it, MemoryError if its arrays
 * are larger than the memory that is free.
 */
export async function prepare(
  model: Model,
  picture: Picture,
  { file, shelf, ...options }: PrepareOptions,
  work: Work = {},
): Promise<Inversion> {
  checkMemory(bytesOfInversion(model, picture, options), "the inversion");
  const origin = {
    model: await modelHash(model, work),
    picture: pictureHash(picture),
    versions: { baret: version },
  };
  if (file === undefined && shelf) {
    const name = sha256(inversionKey(model, picture, options, origin));
    const resume = await shelf.take(name);
    const onStep = (inversion: Inversion): Promise<void> => shelf.keep(name, inversion);
    try {
      return await invert(model, picture, options, origin, { ...work, resume, onStep });
    } finally {
      await shelf.flush();
    }
  }
  if (file === undefined) return invert(model, picture, options, origin, work);
  const there = async (): Promise<Inversion | undefined> => ((await exists(file)) ? readInversion(file) : undefined);
  const found = await there();
  if (found && isComplete(found))
    return invert(model, picture, options, origin, { ...work, resume: found, where: file });
  const onStep = (inversion: Inversion): Promise<void> =>
    writeFileAtomic(file, encodeInversion(inversion), { signal: work.signal });
  return aloneAt(file, async () => {
    return invert(model, picture, options, origin, { ...work, resume: await there(), where: file, onStep });
  });
}
