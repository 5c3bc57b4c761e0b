import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { exists, readRegular, storageError } from "../../../storage/node/index.ts";
import { type RaterFile, readAnswers } from "../../rating/index.ts";

/** A million answers. */
const MAX_BYTES = 512 << 20;
const ENDING = ".jsonl";

/** Folder of the answers, one file a rater. */
export const ratingsFolder = (folder: string): string => join(folder, "ratings");

export const raterPath = (folder: string, rater: string): string => join(ratingsFolder(folder), `${rater}${ENDING}`);

/** Reads the answers of one rater, none if there is no file. Throws StorageError. */
export async function readRater(folder: string, rater: string): Promise<RaterFile> {
  const path = raterPath(folder, rater);
  if (!(await exists(path))) return { answers: [], broken: 0 };
  const bytes = await readRegular(path, MAX_BYTES).catch((cause: unknown) => {
    throw storageError("cannot be read", path, cause);
  });
  return readAnswers(bytes.toString());
}

/** Reads the answers of all raters of a folder, by rater. Throws StorageError. */
export async function readRaters(folder: string): Promise<Map<string, RaterFile>> {
  if (!(await exists(ratingsFolder(folder)))) return new Map();
  const names = await readdir(ratingsFolder(folder)).catch((cause: unknown) => {
    throw storageError("cannot be read", ratingsFolder(folder), cause);
  });
  const raters = names.filter((name) => name.endsWith(ENDING) && !name.startsWith(".")).sort();
  const files = raters.map(async (name) => {
    const rater = name.slice(0, -ENDING.length);
    return [rater, await readRater(folder, rater)] as const;
  });
  return new Map(await Promise.all(files));
}
