import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../../../core/index.ts";
import { LIST_NAME } from "../../../storage/index.ts";
import { findModel, writeFileAtomic } from "../../../storage/node/index.ts";
import { PIECE_BYTES, type SiteModel } from "../../page/index.ts";

/** Files of a model's folder that a page needs: settings, words and weights. Their list has the site itself. */
const isNeeded = (name: string): boolean => /\.(json|txt|safetensors)$/.test(name) && name !== LIST_NAME;

/** Writes the files of an installed model in pieces that are named after their hashes. Returns how to put them together. Throws CheckpointError, StorageError. */
export async function writePieces(name: string, folder: string): Promise<SiteModel> {
  const { path } = await findModel(name);
  const names = (await readdir(path, { recursive: true })).map((one) => one.replaceAll("\\", "/")).sort();
  const files: SiteModel["files"] = [];
  for (const file of names.filter(isNeeded)) {
    const bytes = await readFile(join(path, file));
    const pieces: string[] = [];
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      const id = sha256(piece);
      await writeFileAtomic(join(folder, id), piece);
      pieces.push(id);
    }
    files.push({ path: file, bytes: bytes.length, sha256: sha256(bytes), pieces });
  }
  return { name, files };
}
