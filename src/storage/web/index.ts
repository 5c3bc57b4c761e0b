export { fileSource, openFile, openFileList, openFiles, openHandle } from "./chosen.ts";
export type { DownloadPolicy } from "./download.ts";
export { type KeepOptions, keepInBrowser, openKept, removeKept } from "./keep.ts";
export { filesIn, findFile, freeBytes, openStorage, removeFile, type StoredFolder, writeFile } from "./opfs.ts";
export { StoredCache, type StoredCacheOptions, type StoredItem } from "./storedCache.ts";
export { openWebFile, openWebFolder, type WebFolderOptions, webSource } from "./webFolder.ts";
