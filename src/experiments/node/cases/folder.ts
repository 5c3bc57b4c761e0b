import { realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { BaretError, ImageError } from "../../../core/index.ts";
import type { PhotoHeader } from "../../../image/index.ts";
import { readPhotoHeader } from "../../../image/node/index.ts";
import { systemMessage } from "../../../storage/node/index.ts";

const isInside = (folder: string, path: string): boolean => {
  const rest = relative(folder, path);
  return !isAbsolute(rest) && rest.split(sep)[0] !== "..";
};

/** A folder of pictures. Paths are those in the folder. */
export class PictureFolder {
  /** Its absolute path. */
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** Returns the absolute path of a file. Throws ImageError if the path or a link leads out of the folder, or to nothing. */
  async locate(path: string): Promise<string> {
    const full = resolve(this.path, path);
    const refuse = (problem: string, cause?: unknown): ImageError => new ImageError(problem, { where: full, cause });
    if (!isInside(this.path, full)) throw refuse("the path leads out of the folder of the cases");
    const [root, real] = await Promise.all([this.path, full].map((one) => realpath(one))).catch((cause: unknown) => {
      throw refuse(`cannot be read: ${systemMessage(cause)}`, cause);
    });
    if (!isInside(root, real)) throw refuse("a link leads out of the folder of the cases");
    return full;
  }

  /** Reads the header of a picture. Returns the message of what is wrong with it instead, if something is. */
  async header(path: string): Promise<PhotoHeader | string> {
    try {
      return await readPhotoHeader(await this.locate(path));
    } catch (error) {
      if (error instanceof BaretError) return error.message;
      throw error;
    }
  }
}
