import { dirname, isAbsolute, join, relative } from "node:path";
import { ImageError, listed, type Picture, problemsOf } from "../../core/index.ts";
import { type AlphaChannel, formatOfName, readRecord as recordText } from "../../image/index.ts";
import { encodePicture } from "../../image/node/index.ts";
import { exists, isModelPath, readRegular, storageError, writeFileAtomic } from "../../storage/node/index.ts";
import { parseJson } from "../../weights/index.ts";
import { type EditRecord, recordSchema } from "../record.ts";

/** No picture of baret's comes near. */
const MAX_BYTES = 1 << 30;

/** A relative path with the dot in front that no model's name has. */
const dotted = (path: string): string => (isAbsolute(path) || path.startsWith("..") ? path : `./${path}`);

/** A path, given from here, as it is written from `folder`; absolute ones stay. */
const seenFrom = (folder: string, path: string): string =>
  isAbsolute(path) ? path : relative(folder, path).replaceAll("\\", "/");

/** A path that was written from `folder`, given from here. If nothing is there, it may have been given from here. */
async function foundFrom(folder: string, path: string): Promise<string> {
  const beside = isAbsolute(path) ? path : join(folder, path);
  return (await exists(beside)) ? beside : path;
}

type Places = Partial<Pick<EditRecord, "model" | "photo">>;

export interface WriteOptions {
  /** 1 to 100, for JPEG and WebP. Default 92. */
  readonly quality?: number;
  /** Opacity, for PNG and WebP. */
  readonly alpha?: AlphaChannel;
}

/**
 * Writes a picture, in the format that its name ends in (PNG if in none), with the record of what made it, whose paths are
 * noted as they are found from the picture's folder. Throws ImageError, StorageError.
 */
export async function writePicture(
  path: string,
  picture: Picture,
  record: Places & Readonly<Record<string, unknown>>,
  { quality, alpha }: WriteOptions = {},
): Promise<void> {
  const folder = dirname(path);
  const { model, photo } = record;
  const modelPath = model && (await isModelPath(model.name).catch(() => false));
  const placed = {
    ...record,
    ...(modelPath && { model: { ...model, name: dotted(seenFrom(folder, model.name)) } }),
    ...(photo && { photo: { ...photo, path: seenFrom(folder, photo.path) } }),
  };
  const format = formatOfName(path) ?? "png";
  const options = { format, alpha, record: JSON.stringify(placed), ...(format !== "png" && { quality }) };
  await writeFileAtomic(path, await encodePicture(picture, options));
}

/** The record in a picture file, as it was written. Throws ImageError if the file has none, or a damaged one. */
function recordIn(bytes: Uint8Array, where: string): EditRecord {
  const advice = "It must be a picture that baret wrote, and that no other program has changed since.";
  const problem = "does not tell what made it";
  try {
    const json = parseJson(new TextEncoder().encode(recordText(bytes) ?? "null"), where);
    const { data, error } = recordSchema.safeParse(json);
    if (error) throw new ImageError(`${problem}\n${listed(problemsOf(error, json, "baret"))}`, { where, advice });
    return data;
  } catch (cause) {
    if (cause instanceof ImageError && cause.details.where === where) throw cause;
    throw new ImageError(problem, { where, found: (cause as Error).message, advice, cause });
  }
}

/** The record in a picture file, its paths as they are found from here. Throws ImageError, StorageError if it cannot be read. */
export async function readRecord(path: string): Promise<EditRecord> {
  const bytes = await readRegular(path, MAX_BYTES).catch((cause: unknown) => {
    throw storageError("cannot be read", path, cause);
  });
  const made = recordIn(bytes, path);
  const folder = dirname(path);
  const { model, photo } = made;
  const name = /^\.\.?\//.test(model.name) ? dotted(await foundFrom(folder, model.name)) : model.name;
  return {
    ...made,
    model: { ...model, name },
    ...(photo && { photo: { ...photo, path: await foundFrom(folder, photo.path) } }),
  };
}
