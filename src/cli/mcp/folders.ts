import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { few, StorageError, UsageError } from "../../core/index.ts";
import { formatOfName } from "../../image/index.ts";
import { isMissing, storageError } from "../../storage/node/index.ts";

/** Tells if a path, without links, is a folder or lies in it. */
function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The folders of this machine that an assistant may use. Links are followed before a path is checked. */
export class AllowedFolders {
  private readonly folders: readonly string[];

  private constructor(folders: readonly string[]) {
    this.folders = folders;
  }

  /** Throws StorageError if one of the folders does not exist. */
  static async open(paths: readonly string[]): Promise<AllowedFolders> {
    const folders: string[] = [];
    for (const path of paths) {
      const place = await realpath(path).catch((cause: unknown) => {
        throw storageError("cannot be used", `--folder ${path}`, cause);
      });
      if (!(await lstat(place)).isDirectory()) {
        throw new StorageError("not a folder", { where: `--folder ${path}` });
      }
      folders.push(place);
    }
    return new AllowedFolders(folders);
  }

  /** Returns the place of an existing file. Relative paths begin in the first folder. Throws UsageError, StorageError. */
  async existing(path: string, where: string): Promise<string> {
    const asked = resolve(this.folders[0], path);
    const place = await realpath(asked).catch(async (cause: unknown) => {
      // What lies outside is told to nobody, not even whether it exists.
      const folder = await realpath(dirname(asked)).catch(() => undefined);
      if (folder === undefined || !this.isAllowed(folder)) throw this.refusal(path, where);
      throw storageError("cannot be read", `${where} ${path}`, cause);
    });
    if (!this.isAllowed(place)) throw this.refusal(path, where);
    return place;
  }

  /** Returns the place of a new picture. Throws UsageError if its name is no picture's, StorageError if the file exists. */
  async fresh(path: string, where: string): Promise<string> {
    if (!formatOfName(path) || /^\.\w+$/.test(basename(path))) {
      throw new UsageError("", { where, found: path, expected: "a name that ends in .png, .jpg or .webp" });
    }
    const asked = resolve(this.folders[0], path);
    const folder = await this.existing(dirname(asked), where);
    const place = join(folder, basename(asked));
    const isTaken = await lstat(place).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw storageError("cannot be used", where, error);
      },
    );
    if (isTaken) {
      const advice = "Files are never replaced. Choose another name.";
      throw new StorageError("the file exists", { where, found: path, advice });
    }
    return place;
  }

  private isAllowed(place: string): boolean {
    return this.folders.some((folder) => isWithin(folder, place));
  }

  private refusal(path: string, where: string): UsageError {
    return new UsageError("not in a folder that this server may use", {
      where,
      found: path,
      expected: `a path in ${few(this.folders)}`,
      advice: 'Start "baret mcp" with --folder FOLDER to allow another folder.',
    });
  }
}
