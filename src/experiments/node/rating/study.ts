import { join } from "node:path";
import { listed, problemsOf, throwIfCancelled, UsageError } from "../../../core/index.ts";
import { writeFileAtomic } from "../../../storage/node/index.ts";
import { type Study, studySchema } from "../../rating/index.ts";
import { PictureFolder } from "../cases/folder.ts";
import { readJson } from "../json.ts";

/** 10,000 cases with ten edits and ten metrics have about 60 MB. */
const MAX_BYTES = 256 << 20;
/** Files that are open at once. */
const AT_ONCE = 8;

const advice = "docs/rating.md describes rating.json.";

const pathOf = (folder: string): string => join(folder, "rating.json");

/** Writes FOLDER/rating.json. Throws StorageError. */
export const writeStudy = (folder: string, study: Study): Promise<void> =>
  writeFileAtomic(pathOf(folder), JSON.stringify(study));

/** Reads FOLDER/rating.json. Throws UsageError that lists every problem, StorageError if it cannot be read. */
export async function readStudy(folder: string): Promise<Study> {
  const path = pathOf(folder);
  const json = await readJson(path, MAX_BYTES, advice);
  const { data, error } = studySchema.safeParse(json);
  if (data) return data;
  throw new UsageError(`problems\n${listed(problemsOf(error!, json))}`, { where: path, advice });
}

/** Checks that all pictures of a study are there. Throws UsageError that lists those that are not, CancelledError. */
export async function checkPictures(folder: string, study: Study, signal?: AbortSignal): Promise<void> {
  const pictures = new PictureFolder(folder);
  const paths = study.cases.flatMap(({ photo, edits }) => [photo, ...edits.map(({ file }) => file)]);
  const different = [...new Set(paths)];
  const problems: string[] = [];
  for (let k = 0; k < different.length; k += AT_ONCE) {
    throwIfCancelled(signal, "checking the pictures");
    const found = await Promise.all(different.slice(k, k + AT_ONCE).map((path) => pictures.header(path)));
    problems.push(...found.filter((header) => typeof header === "string"));
  }
  if (problems.length === 0) return;
  throw new UsageError(`pictures with problems\n${listed(problems)}`, { where: pathOf(folder), advice });
}
