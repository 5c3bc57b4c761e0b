import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import type { Picture, Work } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { modelHash } from "../diffusion/node.ts";
import { openLocalFile, writeFileAtomic } from "../storage/node.ts";
import { decodeInversion, encodeInversion } from "./file.ts";
import { type Inversion, invert } from "./inversion.ts";
import type { InversionOptions } from "./options.ts";

/** SHA-256 of a picture's size and pixels, as hexadecimal digits. */
export const pictureHash = ({ width, height, data }: Picture): string =>
  createHash("sha256").update(`${width}x${height}\n`).update(data).digest("hex");

/** Reads an inversion file. Throws StorageError. */
export const readInversion = async (path: string): Promise<Inversion> => decodeInversion(await openLocalFile(path));

export interface PrepareOptions extends InversionOptions {
  target: string;
  /** Where the inversion is kept after every step, and gone on with when it is there unfinished. */
  file?: string;
}

/**
 * Inverts a picture (at the size to work at) towards a target sentence, or takes what `file` has of it. Throws
 * StorageError where the file holds another inversion.
 */
export async function prepare(
  model: Model,
  picture: Picture,
  { file, ...options }: PrepareOptions,
  work: Work = {},
): Promise<Inversion> {
  const origin = { model: await modelHash(model, work), picture: pictureHash(picture) };
  const exists =
    file !== undefined &&
    (await access(file).then(
      () => true,
      () => false,
    ));
  const resume = exists ? await readInversion(file) : undefined;
  const save = async (inversion: Inversion): Promise<void> => {
    if (file !== undefined) await writeFileAtomic(file, encodeInversion(inversion), { signal: work.signal });
  };
  return invert(model, picture, options, origin, { ...work, resume, onStep: save });
}
