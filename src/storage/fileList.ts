import { z } from "zod";
import { StorageError, type Work } from "../core/index.ts";
import type { Folder, FolderEntry } from "../weights/index.ts";
import { hashSource } from "./hashSource.ts";

/** Name of the list in a folder on a web server, which cannot list its files. */
export const LIST_NAME = "files.json";

/** Relative, in parts that are no "." or "..". */
const relativePath = z
  .string()
  .max(1000)
  .refine(
    (path) => path.split("/").every((part) => part !== "" && part !== "." && part !== "..") && !path.includes("\\"),
    "expected a path inside the folder",
  );

const listedFile = z.object({
  path: relativePath,
  size: z.number().int().nonnegative(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});
const fileList = z.object({ files: z.array(listedFile).max(100_000) });

/** A file of a folder. path: relative to it, parts separated by "/". */
export type ListedFile = z.infer<typeof listedFile>;

/** All files of a folder, as its `files.json` holds them. */
export type FileList = z.infer<typeof fileList>;

/** Reads the text of a list. Throws StorageError if it is none. where: its name in errors. */
export function parseFileList(text: string, where: string): FileList {
  try {
    return fileList.parse(JSON.parse(text));
  } catch (cause) {
    throw new StorageError("this is not a list of files", {
      where,
      found: text.slice(0, 60),
      expected: '{"files":[{"path":…,"size":…}]}',
      cause,
    });
  }
}

/** Lists all files of a folder, with their hashes, sorted by path. Throws the folder's errors and CancelledError. */
export async function listFiles(folder: Folder, work: Work = {}): Promise<FileList> {
  const files: ListedFile[] = [];
  const visit = async (path: string): Promise<void> => {
    for (const { name, kind } of await folder.list(path)) {
      const below = path === "" ? name : `${path}/${name}`;
      if (kind === "folder") await visit(below);
      else if (below !== LIST_NAME) {
        const source = await folder.open(below);
        files.push({ path: below, size: source.size, sha256: await hashSource(source, work) });
      }
    }
  };
  await visit("");
  return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** Returns the entries directly in `path` of a folder whose files are listed, sorted by name. */
export function entriesIn(files: readonly Pick<ListedFile, "path">[], path = ""): FolderEntry[] {
  const start = path === "" ? "" : `${path}/`;
  const kinds = new Map<string, FolderEntry["kind"]>();
  for (const file of files) {
    if (!file.path.startsWith(start)) continue;
    const [name, ...rest] = file.path.slice(start.length).split("/");
    kinds.set(name, rest.length > 0 ? "folder" : "file");
  }
  return [...kinds].map(([name, kind]) => ({ name, kind })).sort((a, b) => (a.name < b.name ? -1 : 1));
}
