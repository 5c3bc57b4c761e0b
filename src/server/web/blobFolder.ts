import { CheckpointError } from "../../core/index.ts";
import type { ByteSource, Folder, FolderEntry } from "../../weights/index.ts";

/** Returns a file whose bytes are read when they are needed. */
export const blobSource = (name: string, blob: Blob): ByteSource => ({
  name,
  size: blob.size,
  async read(offset, length) {
    const bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    if (bytes.length === length) return bytes;
    throw new RangeError(`${name}: bytes ${offset}..${offset + length} of ${blob.size}`);
  },
});

/** Returns a folder of files that are given by their paths. */
export const blobFolder = (name: string, files: ReadonlyMap<string, Blob>): Folder => ({
  name,
  async list(path = "") {
    const below = path === "" ? "" : `${path}/`;
    const found = new Map<string, FolderEntry>();
    for (const file of files.keys()) {
      if (!file.startsWith(below)) continue;
      const [first, ...rest] = file.slice(below.length).split("/");
      found.set(first, { name: first, kind: rest.length > 0 ? "folder" : "file" });
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  },
  async open(path) {
    const blob = files.get(path);
    if (blob) return blobSource(`${name}/${path}`, blob);
    throw new CheckpointError("there is no such file", { where: `${name}/${path}` });
  },
});
