import { CheckpointError } from "../../../core/index.ts";
import { hashSource } from "../../../storage/index.ts";
import { openFile, openFiles, openHandle } from "../../../storage/web/index.ts";
import type { ByteSource, Folder } from "../../../weights/index.ts";

/** What the person chose on their disk: a file, the files of a folder by their paths in it, or the handle of either. */
export type ChosenPlace =
  | { readonly file: File }
  | { readonly folder: string; readonly files: ReadonlyMap<string, File> }
  | { readonly handle: ChosenHandle };

/** A handle stays valid after a reload, if the person permits it again. */
export type ChosenHandle = FileSystemFileHandle | FileSystemDirectoryHandle;

/** The library of types lacks it. */
type WithPermission = Partial<Record<"queryPermission", (way: { mode: "read" }) => Promise<PermissionState>>>;

/** True if the page may read what a handle leads to. */
export async function mayRead(handle: ChosenHandle): Promise<boolean> {
  const { queryPermission } = handle as WithPermission;
  return queryPermission === undefined || (await queryPermission.call(handle, { mode: "read" })) === "granted";
}

/** Returns the name of what was chosen, without the ending of a weight file. */
export function nameOf(place: ChosenPlace): string {
  const name = "file" in place ? place.file.name : "files" in place ? place.folder : place.handle.name;
  return name.replace(/\.safetensors$/, "");
}

/** Opens what was chosen. Throws CheckpointError if it cannot be read. */
async function openPlace(place: ChosenPlace): Promise<Folder | ByteSource> {
  if ("file" in place) return openFile(place.file);
  if ("files" in place) return openFiles(place.folder, place.files);
  const { handle } = place;
  if (handle.kind === "directory") return openHandle(handle as FileSystemDirectoryHandle);
  const file = await (handle as FileSystemFileHandle).getFile().catch((cause: unknown) => {
    throw new CheckpointError("the file cannot be read", {
      where: handle.name,
      found: (cause as Error).message,
      advice: "If it was moved or deleted, choose it again.",
      cause,
    });
  });
  return openFile(file);
}

/** Hashes of files, by what changes with a file. A file of gigabytes is hashed once. */
export type FileHashes = Map<string, string>;

/** Opens what was chosen. Its files have the hashes that are known, and add those that are found. */
export async function openHashed(place: ChosenPlace, known: FileHashes): Promise<Folder | ByteSource> {
  const hashed = (source: ByteSource): ByteSource => {
    const { lastModified } = source.blob as File;
    const key = `${source.name}, ${source.size} bytes, ${lastModified}`;
    const sha256: ByteSource["sha256"] = async (work) => {
      const hash = known.get(key) ?? (await hashSource(source, work));
      known.set(key, hash);
      return hash;
    };
    return { ...source, sha256 };
  };
  const opened = await openPlace(place);
  if (!("list" in opened)) return hashed(opened);
  return { ...opened, open: async (path) => hashed(await opened.open(path)) };
}
