import { BaretError, CancelledError, CheckpointError, StorageError, sha256, type Work } from "../../core/index.ts";
import {
  keepFiles,
  type ListedFiles,
  NoRoomError,
  openListed,
  readFileList,
  type WebFolderOptions,
  webFiles,
} from "../../storage/web/index.ts";
import type { Folder } from "../../weights/index.ts";
import { type PackageFolder, packageModels, packageVocabulary } from "./packageModels.ts";

/** The source of models that are asked for by name, and whether they are kept. */
export interface NamedModelOptions {
  /**
   * A folder on a web server that has a folder for each model, with its files.json. Default: the package's own models, where the
   * bundler has put them.
   */
  modelsUrl?: string | URL;
  /**
   * Keep what is downloaded in the browser's storage, so that it is downloaded once and works offline. true: StorageError if the
   * browser does not keep it. Default: if that is so, the model is loaded without, and has the warning "not-kept".
   */
  keep?: boolean;
  /**
   * All kept models may take so many bytes; the least recently used are dropped for a new one. Default: half of what the browser
   * grants this site, but at most 20 GB.
   */
  maxKeptBytes?: number;
}

/** A folder of files that were downloaded or kept. */
export interface OpenedFolder {
  readonly folder: Folder;
  /** Why it is not kept, although it should be. */
  readonly notKept?: NoRoomError;
}

/** Opens a model by its name. Throws CheckpointError if there is no such model, StorageError, CancelledError. */
export async function openNamed(name: string, options: NamedModelOptions, work: Work = {}): Promise<OpenedFolder> {
  if (options.modelsUrl !== undefined) return open(name, undefined, options, work);
  const folder = packageModels.get(name);
  if (folder) return open(name, folder, options, work);
  throw new CheckpointError("no such model", {
    where: JSON.stringify(name),
    found: `${[...packageModels.keys()].join(", ")} (package)`,
    expected: "one of them, a model of your server with modelsUrl, or an open folder or file",
    advice: "A browser cannot look for models on this disk: give loadModel the folder or the file itself.",
  });
}

/** Opens the folder with CLIP's vocabulary. Throws as `openNamed`. */
export const openVocabulary = (options: NamedModelOptions): Promise<OpenedFolder> =>
  open(packageVocabulary.name, options.modelsUrl === undefined ? packageVocabulary.folder : undefined, options, {});

/** Opens a folder by its name. own: where the bundler has put it. Default: it is below `modelsUrl`. */
async function open(
  name: string,
  own: PackageFolder | undefined,
  { modelsUrl, keep, maxKeptBytes }: NamedModelOptions,
  work: Work,
): Promise<OpenedFolder> {
  const source = own ? packageFiles(name, own) : webFiles(folderIn(modelsUrl!, name));
  if (keep === false) return { folder: await openListed(source, work) };
  try {
    // Models of one name may come from several servers.
    const kept = own ? name : `${name.replaceAll(/[^\w.-]/g, "_")}-${sha256(source.name).slice(0, 8)}`;
    return { folder: await keepFiles(source, { ...work, name: kept, maxBytes: maxKeptBytes }) };
  } catch (error) {
    if (!(error instanceof NoRoomError) || keep) throw error;
    return { folder: await openListed(source, work), notKept: error };
  }
}

const folderIn = (url: string | URL, name: string): URL =>
  new URL(encodeURIComponent(name), new URL(`${url}`.replace(/\/?$/, "/"), globalThis.location?.href));

/** Returns a folder of the package. If a file cannot be fetched, the cause may be the bundler. */
const packageFiles = (name: string, { list, urls }: PackageFolder): ListedFiles => ({
  name,
  list: (options: WebFolderOptions) =>
    readFileList(list.href, options).catch((cause: unknown) => {
      if (!(cause instanceof BaretError) || cause instanceof CancelledError) throw cause;
      throw new StorageError("a file of the package baret cannot be fetched", {
        where: list.protocol === "data:" ? "a file in the bundle" : list.href,
        found: cause.details.found ?? cause.message,
        advice: "If you are online, the bundler has not copied it: see docs/browser.md of the package.",
        cause,
      });
    }),
  urlOf: (path) => urls[path].href,
});
