import { dirname, isAbsolute, join, relative } from "node:path";
import { ImageError, isRecordedFile, listed, type Picture, problemsOf } from "../../core/index.ts";
import { type AlphaChannel, formatOfName, readRecord as recordText } from "../../image/index.ts";
import { decodePhoto, encodePicture } from "../../image/node/index.ts";
import { exists, isModelPath, readRegular, storageError, writeFileAtomic } from "../../storage/node/index.ts";
import { parseJson } from "../../weights/index.ts";
import type { WrittenPicture } from "../compareTask.ts";
import { type EditRecord, recordSchema, type SettingValues } from "../record.ts";

/** Largest picture file that is read: far larger than any that baret writes. */
const MAX_BYTES = 1 << 30;

/** Puts "./" before a relative path, so that it cannot be taken for a model's name. */
const dotted = (path: string): string => (isAbsolute(path) || path.startsWith("..") ? path : `./${path}`);

/** Returns a path of the working folder as seen from `folder`. Absolute paths are unchanged. */
const seenFrom = (folder: string, path: string): string =>
  isAbsolute(path) ? path : relative(folder, path).replaceAll("\\", "/");

/** Returns a path of `folder` as seen from the working folder, or the path itself if there is no such file. */
async function foundFrom(folder: string, path: string): Promise<string> {
  const beside = isAbsolute(path) ? path : join(folder, path);
  return (await exists(beside)) ? beside : path;
}

type Places = Partial<Pick<EditRecord, "model" | "photo" | "settings">>;

/** Returns settings with the paths of their files changed. */
const withPaths = (settings: SettingValues, change: (path: string) => string): SettingValues =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      isRecordedFile(value) ? { ...value, path: change(value.path) } : value,
    ]),
  );

export interface WriteOptions {
  /** 1 to 100, for JPEG and WebP. Default 92. */
  readonly quality?: number;
  /** Opacity, for PNG and WebP. */
  readonly alpha?: AlphaChannel;
}

/**
 * Writes a picture with its record. The name's ending chooses the format; the default is PNG. Paths in the record are
 * relative to the picture's folder. Throws ImageError, StorageError.
 */
export async function writePicture(
  path: string,
  picture: Picture,
  record: Places & Readonly<Record<string, unknown>>,
  { quality, alpha }: WriteOptions = {},
): Promise<void> {
  const folder = dirname(path);
  const { model, photo, settings } = record;
  const modelPath = model && (await isModelPath(model.name).catch(() => false));
  const placed = {
    ...record,
    ...(modelPath && { model: { ...model, name: dotted(seenFrom(folder, model.name)) } }),
    ...(photo && { photo: { ...photo, path: seenFrom(folder, photo.path) } }),
    ...(settings && { settings: withPaths(settings, (own) => seenFrom(folder, own)) }),
  };
  const format = formatOfName(path) ?? "png";
  const options = { format, alpha, record: JSON.stringify(placed), ...(format !== "png" && { quality }) };
  await writeFileAtomic(path, await encodePicture(picture, options));
}

/** Returns the record in the bytes of a picture file, unchanged. where: the file, for messages. Throws ImageError if the file has no record or a damaged one. */
export function recordIn(bytes: Uint8Array, where: string): EditRecord {
  const advice = "Give a picture that baret wrote and that no other program has changed.";
  const problem = "has no record of its settings";
  try {
    const text = recordText(bytes);
    if (text === undefined) throw new ImageError(problem, { where, advice });
    const json = parseJson(new TextEncoder().encode(text), where);
    const { data, error } = recordSchema.safeParse(json);
    if (error) throw new ImageError(`${problem}\n${listed(problemsOf(error, json, "baret"))}`, { where, advice });
    return data;
  } catch (cause) {
    if (cause instanceof ImageError && cause.details.where === where) throw cause;
    throw new ImageError(problem, { where, found: (cause as Error).message, advice, cause });
  }
}

/** Reads the record in a picture file. Its paths are relative to the working folder. Throws ImageError, StorageError. */
export async function readRecord(path: string): Promise<EditRecord> {
  const bytes = await readRegular(path, MAX_BYTES).catch((cause: unknown) => {
    throw storageError("cannot be read", path, cause);
  });
  const made = recordIn(bytes, path);
  const folder = dirname(path);
  const { model, photo, settings } = made;
  const files = Object.values(settings).filter(isRecordedFile);
  const found = new Map(
    await Promise.all(files.map(async (one) => [one.path, await foundFrom(folder, one.path)] as const)),
  );
  const name = /^\.\.?\//.test(model.name) ? dotted(await foundFrom(folder, model.name)) : model.name;
  return {
    ...made,
    model: { ...model, name },
    ...(photo && { photo: { ...photo, path: await foundFrom(folder, photo.path) } }),
    settings: withPaths(settings, (own) => found.get(own) ?? own),
  };
}

/** Returns the picture in a file of an earlier run, or undefined if there is none, or none of baret's. Throws StorageError. */
export async function writtenPicture(path: string): Promise<WrittenPicture | undefined> {
  if (!(await exists(path))) return undefined;
  const record = await orUndefined(() => readRecord(path));
  return record && { record, decode: () => orUndefined(() => decodePhoto(path)) };
}

/** Returns the result of `work`, or undefined if a file is no picture of baret's. */
async function orUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}
