import { createHash } from "node:crypto";
import { CheckpointError, type Picture, StorageError, type Work } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { modelHash } from "../diffusion/node.ts";
import { exists, openLocalFile, sha256, version, writeFileAtomic } from "../storage/node.ts";
import { decodeInversion, encodeInversion } from "./file.ts";
import { type Inversion, inversionKey, invert } from "./inversion.ts";
import type { InversionOptions } from "./options.ts";
import type { Shelf } from "./shelf.ts";

export { Shelf } from "./shelf.ts";

/** SHA-256 of a picture's size and pixels, as hexadecimal digits. */
export const pictureHash = ({ width, height, data }: Picture): string =>
  createHash("sha256").update(`${width}x${height}\n`).update(data).digest("hex");

/** Reads an inversion file. Throws StorageError. */
export async function readInversion(path: string): Promise<Inversion> {
  const source = await openLocalFile(path).catch((cause: unknown) => {
    if (!(cause instanceof CheckpointError)) throw cause;
    throw new StorageError("there is no such inversion file, or it may not be read", { where: path, cause });
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
 * Inverts a picture (at the size to work at) towards a target sentence, or takes what `file` or `shelf` has of it. Throws
 * StorageError where the file holds another inversion.
 */
export async function prepare(
  model: Model,
  picture: Picture,
  { file, shelf, ...options }: PrepareOptions,
  work: Work = {},
): Promise<Inversion> {
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
  const resume = file !== undefined && (await exists(file)) ? await readInversion(file) : undefined;
  const save = async (inversion: Inversion): Promise<void> => {
    if (file !== undefined) await writeFileAtomic(file, encodeInversion(inversion), { signal: work.signal });
  };
  return invert(model, picture, options, origin, { ...work, resume, onStep: save });
}
