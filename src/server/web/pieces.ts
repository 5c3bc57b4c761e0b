import type { Work } from "../../core/index.ts";
import {
  fetchPieces,
  keepOnly,
  type PiecedFile,
  piecedFolder,
  type StoredFolder,
  totalBytes,
} from "../../storage/web/index.ts";
import type { Folder } from "../../weights/index.ts";
import { PIECE_BYTES, PIECES_FOLDER, type SiteModel } from "../page/index.ts";

/** Files of a static site's models, kept in the browser's storage. */
export class Pieces {
  private readonly folder: StoredFolder;
  private readonly site: string;

  /** site: URL of the page. */
  constructor(folder: StoredFolder, site: string) {
    this.folder = folder;
    this.site = site;
  }

  /** Bytes of all pieces of models. */
  bytesOf(models: readonly SiteModel[]): number {
    return totalBytes(this.filesOf(models));
  }

  /**
   * Fetches what is missing of models, and deletes all pieces that none of them has, such as those of an older version of the site.
   * Throws StorageError if the site does not give it or if there is no room.
   */
  async download(models: readonly SiteModel[], onProgress: Work["onProgress"]): Promise<void> {
    const files = this.filesOf(models);
    await fetchPieces(this.folder, files, { where: "the model", onProgress });
    await keepOnly(this.folder, files);
  }

  /** The files of a model. Opening one throws StorageError if a piece of it is missing. */
  open(model: SiteModel): Folder {
    return piecedFolder(this.folder, model.name, this.filesOf([model]));
  }

  /** A piece is a file of the site that is named after its hash. All pieces of a file but the last have the same size. */
  private filesOf(models: readonly SiteModel[]): PiecedFile[] {
    return models.flatMap(({ files }) =>
      files.map(({ path, bytes, sha256, pieces }) => ({
        path,
        size: bytes,
        sha256,
        pieces: pieces.map((name, k) => {
          const size = Math.min(PIECE_BYTES, bytes - k * PIECE_BYTES);
          const url = new URL(`${PIECES_FOLDER}/${name}`, this.site).href;
          return { name, sha256: name, from: { url, start: 0, end: size, size } };
        }),
      })),
    );
  }
}
