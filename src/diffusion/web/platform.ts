import { CheckpointError, ImageError } from "../../core/index.ts";
import { decodePhoto } from "../../image/web/index.ts";
import type { ByteSource, Folder } from "../../weights/index.ts";
import type { PhotoFile, Platform } from "../platform.ts";
import { fetchFile, packageFolder } from "./packageFolder.ts";
import { mergesUrl, packageModels } from "./packageModels.ts";

/** Opens a model that ships with the package. Throws CheckpointError if there is no such model. */
export async function openPackageModel(name: string, work: Parameters<typeof packageFolder>[2] = {}): Promise<Folder> {
  const urls = packageModels.get(name);
  if (urls) return packageFolder(name, urls, work);
  throw new CheckpointError("no such model", {
    where: JSON.stringify(name),
    found: `${[...packageModels.keys()].join(", ")} (package)`,
    expected: "one of them, or an open folder or file",
    advice: "A browser cannot look for models on this disk: give loadModel the folder or the file itself.",
  });
}

async function photoAt(url: string): Promise<Blob> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw new ImageError("cannot be fetched", { where: url, found: (cause as Error).message, cause });
  });
  if (!response.ok) throw new ImageError("cannot be fetched", { where: url, found: `status ${response.status}` });
  return response.blob();
}

const decode = async (file: PhotoFile) => decodePhoto(typeof file === "string" ? await photoAt(file) : file);

/** A browser: models of the package, photos by their URLs. openModel: default opens models of the package. */
export const webPlatform = (
  openModel: (name: string) => Promise<Folder | ByteSource> = openPackageModel,
): Platform => ({
  openModel,
  decodePhoto: decode,
  merges: () => fetchFile(mergesUrl),
});
