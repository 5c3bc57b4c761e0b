import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { StorageError } from "../../../core/index.ts";
import { packagePath, systemMessage } from "../../../storage/node/index.ts";
import type { StudioFile } from "../../http/index.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webp": "image/webp",
};

/** Reads the studio's files, which the build makes, by their paths. Throws StorageError if they are missing. */
export async function studioFiles(): Promise<ReadonlyMap<string, StudioFile>> {
  const folder = packagePath("dist/studio");
  try {
    const names = await readdir(folder, { recursive: true });
    const served = names.map((name) => name.replaceAll("\\", "/")).filter((name) => extname(name) in types);
    return new Map(
      await Promise.all(
        served.map(async (name): Promise<[string, StudioFile]> => {
          const bytes = new Uint8Array(await readFile(join(folder, name)));
          return [name, { bytes, type: types[extname(name)] }];
        }),
      ),
    );
  } catch (cause) {
    const advice = "Run npm run build.";
    throw new StorageError(`the studio cannot be read: ${systemMessage(cause)}`, { where: folder, advice, cause });
  }
}
