import { ImageError } from "../../core/index.ts";
import { decodePhoto } from "../../image/web/index.ts";
import type { PhotoFile, Platform } from "../platform.ts";
import { type NamedModelOptions, openNamed, openVocabulary } from "./openNamed.ts";

async function photoAt(url: string): Promise<Blob> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw new ImageError("cannot be fetched", { where: url, found: (cause as Error).message, cause });
  });
  if (!response.ok) throw new ImageError("cannot be fetched", { where: url, found: `status ${response.status}` });
  return response.blob();
}

const decode = async (file: PhotoFile) => decodePhoto(typeof file === "string" ? await photoAt(file) : file);

/** Returns the platform of a browser, which finds related models by their names and photos by their URLs. */
export const webPlatform = (options: NamedModelOptions = {}): Platform => ({
  openModel: async (name) => (await openNamed(name, options)).folder,
  decodePhoto: decode,
  merges: async () => (await openVocabulary(options)).folder.open("merges.txt"),
});
