import { CheckpointError } from "../../core/index.ts";
import type { ByteSource, Folder, FolderEntry } from "../../weights/index.ts";
import { entriesIn } from "../fileList.ts";
import { isMissing, noSuchFile, unreadable } from "./errors.ts";

/** Returns a file that the user chose or that the browser stores. Its bytes are read when they are needed. */
export function fileSource(file: Blob, name: string): ByteSource {
  const { size } = file;
  return {
    name,
    size,
    blob: file,
    read: async (offset, length) => {
      if (offset < 0 || length < 0 || offset + length > size) {
        throw new RangeError(`${name}: bytes ${offset}..${offset + length} of ${size}`);
      }
      const bytes = await file
        .slice(offset, offset + length)
        .arrayBuffer()
        .catch((cause: unknown) => {
          throw unreadable(name, cause);
        });
      return new Uint8Array(bytes);
    },
  };
}

/** Opens a file that the user chose, such as a .safetensors file. */
export const openFile = (file: File): ByteSource => fileSource(file, file.name);

/**
 * Opens the folder that the user chose with `<input type="file" webkitdirectory>`, whose files know their paths. Throws
 * CheckpointError if the files are not of one folder.
 */
export function openFileList(chosen: Iterable<File>): Folder {
  const files = new Map([...chosen].map((file) => [file.webkitRelativePath, file]));
  const roots = new Set([...files.keys()].map((path) => path.split("/")[0]));
  const [root = ""] = roots;
  if (roots.size !== 1 || root === "") {
    throw new CheckpointError("these files are not of one folder", {
      found: `${files.size} files`,
      expected: "the files of a folder that was chosen as a whole",
    });
  }
  return openFiles(root, new Map([...files].map(([path, file]) => [path.slice(root.length + 1), file])));
}

/** Opens files that are given by their paths in a folder. name: the folder's, in errors. */
export function openFiles(name: string, files: ReadonlyMap<string, Blob>): Folder {
  const listed = [...files.keys()].map((path) => ({ path }));
  return {
    name,
    list: async (path) => entriesIn(listed, path),
    open: async (path) => {
      const file = files.get(path);
      if (!file) throw noSuchFile(`${name}/${path}`);
      return fileSource(file, `${name}/${path}`);
    },
  };
}

/** Returns the folder below another at `path`, or undefined if there is none. */
async function folderAt(
  root: FileSystemDirectoryHandle,
  parts: readonly string[],
): Promise<FileSystemDirectoryHandle | undefined> {
  let folder = root;
  try {
    for (const part of parts) folder = await folder.getDirectoryHandle(part);
    return folder;
  } catch (error) {
    if (isMissing(error) || (error instanceof DOMException && error.name === "TypeMismatchError")) return undefined;
    throw unreadable([root.name, ...parts].join("/"), error);
  }
}

/**
 * Opens a folder that the user chose with `showDirectoryPicker` or dropped on the page, or one of the browser's storage.
 * name: in errors. Default: the folder's own.
 */
export function openHandle(root: FileSystemDirectoryHandle, name = root.name): Folder {
  return {
    name,
    list: async (path = "") => {
      const folder = await folderAt(root, path === "" ? [] : path.split("/"));
      const entries: FolderEntry[] = [];
      for await (const handle of folder?.values() ?? []) {
        entries.push({ name: handle.name, kind: handle.kind === "directory" ? "folder" : "file" });
      }
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    open: async (path) => {
      const where = `${name}/${path}`;
      const parts = path.split("/");
      const folder = await folderAt(root, parts.slice(0, -1));
      try {
        if (!folder) throw noSuchFile(where);
        return fileSource(await (await folder.getFileHandle(parts.at(-1)!)).getFile(), where);
      } catch (error) {
        if (error instanceof CheckpointError) throw error;
        throw isMissing(error) ? noSuchFile(where) : unreadable(where, error);
      }
    },
  };
}
