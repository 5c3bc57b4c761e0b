import type { Work } from "../../core/index.ts";
import type { ByteSource, Folder } from "../../weights/index.ts";
import { entriesIn, type FileList, LIST_NAME, parseFileList } from "../fileList.ts";
import { type DownloadPolicy, download, downloadBytes, downloadSize, downloadText } from "./download.ts";
import { noSuchFile } from "./errors.ts";

export interface WebFolderOptions extends Work {
  readonly policy?: DownloadPolicy;
}

/** Files of up to so many bytes are downloaded whole when they are first read: one request instead of hundreds. */
const WHOLE_BYTES = 64e6;

const urlOf = (folder: string, path: string): string =>
  new URL(path.split("/").map(encodeURIComponent).join("/"), folder).href;

/** Returns the address of a folder, absolute and with a "/" at its end, so that names can be put behind it. */
const folderUrl = (url: string | URL): string => new URL(`${url}`.replace(/\/?$/, "/"), globalThis.location?.href).href;

/** Files on a web server, and how to find out which there are. */
export interface ListedFiles {
  /** Name of the files together, in errors. */
  readonly name: string;
  /** Reads their list as the server has it now. Throws as `openWebFolder`. */
  list(options: WebFolderOptions): Promise<FileList>;
  /** The URL of a file of the list. */
  urlOf(path: string): string;
}

/** Reads a list of files. Throws as `openWebFolder`. */
export const readFileList = async (url: string, options: WebFolderOptions = {}): Promise<FileList> =>
  parseFileList(await downloadText(url, options), url);

/** Returns the files of a folder on a web server that has a list of them, files.json, as `listFiles` makes it. */
export function webFiles(url: string | URL): ListedFiles {
  const name = folderUrl(url);
  return {
    name,
    list: (options) => readFileList(urlOf(name, LIST_NAME), options),
    urlOf: (path) => urlOf(name, path),
  };
}

/**
 * Opens a folder on a web server that has a list of its files, files.json, as `listFiles` makes it. Files are read when they
 * are needed: small ones whole, of others the parts that are asked for. Throws CheckpointError if there is no list,
 * StorageError if it is none or the server cannot be reached, CancelledError.
 *
 * options: progress of each file's download, in bytes; a signal that ends all reading.
 */
export const openWebFolder = (url: string | URL, options: WebFolderOptions = {}): Promise<Folder> =>
  openListed(webFiles(url), options);

/** Opens listed files on a web server as a folder. Reads and throws as `openWebFolder`. */
export async function openListed(source: ListedFiles, options: WebFolderOptions = {}): Promise<Folder> {
  const { name } = source;
  const { files } = await source.list(options);
  const listed = new Map(files.map((file) => [file.path, file]));
  return {
    name,
    list: async (path) => entriesIn(files, path),
    open: async (path) => {
      const file = listed.get(path);
      const url = source.urlOf(path);
      if (!file) throw noSuchFile(url);
      return webSource(url, file.size, options);
    },
  };
}

/**
 * Opens one file on a web server. Its size is asked for. Throws CheckpointError if there is no such file, StorageError if the
 * server cannot be reached or does not tell the size, CancelledError.
 */
export async function openWebFile(url: string | URL, options: WebFolderOptions = {}): Promise<ByteSource> {
  const { href } = new URL(url, globalThis.location?.href);
  return webSource(href, await downloadSize(href, options), options);
}

/** Returns a file on a web server, of known size. */
export function webSource(url: string, size: number, options: WebFolderOptions = {}): ByteSource {
  let whole: Promise<Uint8Array> | undefined;
  let ignoresRanges = false;
  const readWhole = (): Promise<Uint8Array> => {
    whole ??= wholeFile(url, size, options).catch((error: unknown) => {
      whole = undefined;
      throw error;
    });
    return whole;
  };
  return {
    name: url,
    size,
    read: async (offset, length) => {
      if (offset < 0 || length < 0 || offset + length > size) {
        throw new RangeError(`${url}: bytes ${offset}..${offset + length} of ${size}`);
      }
      if (size <= WHOLE_BYTES || ignoresRanges) return (await readWhole()).subarray(offset, offset + length);
      const onWhole = (): void => {
        ignoresRanges = true;
      };
      return downloadBytes({ url, start: offset, end: offset + length, size }, { ...options, onWhole });
    },
  };
}

async function wholeFile(url: string, size: number, options: WebFolderOptions): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let done = 0;
  for await (const chunk of download({ url, start: 0, end: size, size }, options)) {
    bytes.set(chunk, done);
    done += chunk.length;
    options.onProgress?.({ phase: "download", done, total: size, unit: "bytes" });
  }
  return bytes;
}
