import { StorageError, sha256 } from "../../core/index.ts";
import { filesIn, findFile, removeFile, type StoredFolder, writeFile } from "../../storage/web/index.ts";
import { PIECE_BYTES, PIECES_FOLDER, type SiteModel } from "../page/index.ts";

/** How much of some files is in the browser's storage, in bytes. */
export interface Arrived {
  readonly done: number;
  readonly total: number;
}

/** Attempts to fetch a piece before it fails. */
const ATTEMPTS = 3;

/**
 * Files of a static site's models, kept in the browser's storage in pieces that are named after their hashes. A download that was
 * stopped goes on with the next piece, and a piece with other bytes than its name says is never kept.
 */
export class Pieces {
  private readonly folder: StoredFolder;
  private readonly site: string;

  /** site: URL of the page. */
  constructor(folder: StoredFolder, site: string) {
    this.folder = folder;
    this.site = site;
  }

  /** Fetches what is missing of models. Throws StorageError if the site does not give it or if there is no room. */
  async download(models: readonly SiteModel[], onProgress: (arrived: Arrived) => void): Promise<void> {
    const sizes = sizesOf(models);
    const here = new Set<string>();
    for await (const { name, size } of filesIn(this.folder)) if (sizes.get(name) === size) here.add(name);
    const sum = (pieces: Iterable<string>): number =>
      [...pieces].reduce((bytes, piece) => bytes + sizes.get(piece)!, 0);
    const total = sum(sizes.keys());
    let done = sum(here);
    onProgress({ done, total });
    for (const piece of sizes.keys()) {
      if (here.has(piece)) continue;
      await writeFile(this.folder, piece, await this.fetch(piece));
      done += sizes.get(piece)!;
      onProgress({ done, total });
    }
  }

  /** Deletes all pieces that no model has, such as those of an older version of the site. */
  async keepOnly(models: readonly SiteModel[]): Promise<void> {
    const known = new Set(models.flatMap(({ files }) => files.flatMap(({ pieces }) => pieces)));
    for await (const { name } of filesIn(this.folder)) if (!known.has(name)) await removeFile(this.folder, name);
  }

  /** Returns the files of a model by their paths. They are read from the storage when they are needed. Throws StorageError if one is missing. */
  async filesOf({ files }: SiteModel): Promise<Map<string, Blob>> {
    const found = new Map<string, Blob>();
    for (const { path, pieces } of files) {
      const parts = await Promise.all(
        pieces.map(async (piece) => {
          const part = await findFile(this.folder, piece);
          if (part) return part;
          throw new StorageError("a part of the model is missing", {
            where: path,
            advice: "Reload the page: it is then fetched again.",
          });
        }),
      );
      found.set(path, new Blob(parts));
    }
    return found;
  }

  /** Fetches a piece, several times if it fails. */
  private async fetch(piece: string): Promise<Uint8Array> {
    const url = new URL(`${PIECES_FOLDER}/${piece}`, this.site);
    let found = "";
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        const response = await fetch(url, { cache: attempt === 0 ? "default" : "reload" });
        const bytes = new Uint8Array(await response.arrayBuffer());
        if (response.ok && sha256(bytes) === piece) return bytes;
        found = response.ok ? "other bytes than its name says" : `status ${response.status}`;
      } catch (error) {
        found = (error as Error).message;
      }
    }
    throw new StorageError("a part of the model cannot be fetched", {
      where: url.href,
      found,
      advice: "Check the connection, and reload the page: what has arrived is kept.",
    });
  }
}

/** Bytes of all pieces, by their names. All pieces of a file but the last have the same size. */
function sizesOf(models: readonly SiteModel[]): ReadonlyMap<string, number> {
  const files = models.flatMap((model) => model.files);
  return new Map(
    files.flatMap(({ bytes, pieces }) =>
      pieces.map((piece, k) => [piece, Math.min(PIECE_BYTES, bytes - k * PIECE_BYTES)] as const),
    ),
  );
}

/** Bytes of all pieces of models. */
export const bytesOf = (models: readonly SiteModel[]): number =>
  [...sizesOf(models).values()].reduce((sum, size) => sum + size, 0);
