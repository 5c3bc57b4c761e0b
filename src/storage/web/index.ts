// Storage in a browser: folders and files on a web server, files that the user chose, kept copies and a cache in the browser's
// storage.
// Knows of: core, weights, and the browser.
// Does not know of: models, what is cached.
export { fileSource, openFile, openFileList, openFiles, openHandle } from "./chosen.ts";
export type { DownloadPolicy } from "./download.ts";
export { NoRoomError } from "./errors.ts";
export { type KeepOptions, keepFiles, keepInBrowser, openKept, removeKept } from "./keep.ts";
export { KeptValues } from "./keptValues.ts";
export {
  askToPersist,
  filesIn,
  findFile,
  freeBytes,
  openStorage,
  removeFile,
  type StoredFolder,
  writeFile,
} from "./opfs.ts";
export { fetchPieces, keepOnly, type PiecedFile, piecedFolder, totalBytes } from "./pieces.ts";
export { StoredCache, type StoredCacheOptions, type StoredItem } from "./storedCache.ts";
export {
  type ListedFiles,
  openListed,
  openWebFile,
  openWebFolder,
  readFileList,
  type WebFolderOptions,
  webFiles,
  webSource,
} from "./webFolder.ts";
